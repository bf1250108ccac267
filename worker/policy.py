"""What the contributor allows: price, memory, processors, and a pause that works while the agent runs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.errors import SettingsInvalid
from worker.grants import Terms

PAGE_BYTES = 65_536
MEMORY_PAGES_MAX = 65_536
PAUSE_FILE = "paused"


def default_memory_pages(cpus: int) -> int:
    """Half of the machine's memory shared by the processors, in pages of 64 KiB."""
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(16, min(MEMORY_PAGES_MAX, machine_bytes // 2 // PAGE_BYTES // max(1, cpus)))


@dataclass(frozen=True)
class Policy:
    """`cpus` tasks run at a time; `memory_pages` (64 KiB) is the most of one task; the pause is a file in `folder`."""

    folder: Path
    min_price_wei_per_gwu: int
    cpus: int
    memory_pages: int

    def __post_init__(self) -> None:
        if not 1 <= self.cpus <= 1024:
            raise SettingsInvalid(f"{self.cpus} processors")
        if not 1 <= self.memory_pages <= MEMORY_PAGES_MAX:
            raise SettingsInvalid(f"{self.memory_pages} pages of memory, not 1 to {MEMORY_PAGES_MAX}")
        if not 0 <= self.min_price_wei_per_gwu < 1 << 128:
            raise SettingsInvalid(f"a price of {self.min_price_wei_per_gwu} wei per GWU")

    @property
    def paused(self) -> bool:
        """Whether the contributor wants no new lease now."""
        return (self.folder / PAUSE_FILE).exists()

    def pause(self) -> None:
        """No new lease from now on; the one being worked on is finished."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / PAUSE_FILE).touch()

    def resume(self) -> None:
        """Ends the pause."""
        (self.folder / PAUSE_FILE).unlink(missing_ok=True)

    def terms(self, device: str) -> Terms:
        """What is asked of every lease."""
        return Terms(device, self.min_price_wei_per_gwu, self.memory_pages)

    def offer(self, ns_per_wu: float | None) -> dict[str, Any]:
        """The offer as the market's API takes it; `ns_per_wu` is the speed measured so far."""
        return {
            "programs": None,
            "minPriceWeiPerGWU": str(self.min_price_wei_per_gwu),
            "nsPerWU": ns_per_wu,
            "memoryPages": self.memory_pages,
        }
