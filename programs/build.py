"""`python -m programs.build`: builds every program of the catalogue again, in place."""

from programs.catalogue import CATALOGUE
from programs.compile import compile_guest


def main() -> None:
    """Writes each module beside its source."""
    for entry in CATALOGUE.values():
        compile_guest(entry.source, entry.module, entry.limits.memory_pages)
        print(f"{entry.name}: {entry.module.stat().st_size} bytes")


if __name__ == "__main__":
    main()
