"""The programs that this repository ships: deployments register them, tests rebuild them."""

from dataclasses import dataclass
from pathlib import Path

from protocol.wasm import Limits, Program, build_program

ROOT = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One program: its name, C source, committed module and limits."""

    name: str
    source: Path
    module: Path
    limits: Limits

    def build(self) -> Program:
        """Admits and rewrites the committed module."""
        return build_program(self.module.read_bytes(), self.limits)


def _entry(name: str, folder: str, limits: Limits) -> CatalogueEntry:
    return CatalogueEntry(name, ROOT / folder / f"{folder}.c", ROOT / folder / f"{folder}.wasm", limits)


CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        _entry("digits", "digits", Limits(wu=1_000_000, memory_pages=1, frame_bytes=65_536)),
        _entry("sha256-chain", "sha256_chain", Limits(wu=100_000_000_000, memory_pages=1, frame_bytes=65_536)),
        _entry("matmul", "matmul", Limits(wu=10_000_000_000, memory_pages=8, frame_bytes=65_536)),
        _entry("trainer", "trainer", Limits(wu=20_000_000_000, memory_pages=3, frame_bytes=65_536)),
    )
}
"""All programs by name."""
