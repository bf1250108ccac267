"""The device's settings, read once: command-line options, each with its environment variable (see `worker.cli`)."""

from dataclasses import dataclass
from pathlib import Path

from worker.errors import SettingsInvalid
from worker.policy import Policy, default_memory_pages


@dataclass(frozen=True)
class Settings:
    """What an agent is started with. Prices in wei per GWU, memory in pages of 64 KiB (None: half of the machine's)."""

    markets: tuple[str, ...]
    key_file: Path
    state_dir: Path
    min_price_wei_per_gwu: int = 1
    cpus: int = 1
    memory_pages: int | None = None
    owner: str | None = None
    owner_key_file: Path | None = None
    binding_file: Path | None = None

    def __post_init__(self) -> None:
        if not self.markets:
            raise SettingsInvalid("no market: use --market or WORKER_MARKET_URL")

    def policy(self) -> Policy:
        """What the contributor allows."""
        pages = default_memory_pages(self.cpus) if self.memory_pages is None else self.memory_pages
        return Policy(self.state_dir, self.min_price_wei_per_gwu, self.cpus, pages)

    def journal_folder(self, device: str) -> Path:
        """The folder of a device's journal."""
        return self.state_dir / device.lower()


def default_state_dir() -> Path:
    """Where the journal lies unless the settings say otherwise."""
    from platformdirs import user_state_path

    return user_state_path("multitude") / "worker"
