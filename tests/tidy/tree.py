"""The files of the repository: tracked ones and new ones that are not ignored."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def repository_files() -> tuple[Path, ...]:
    """Paths below ROOT, as git lists them."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file())


def source_files(*suffixes: str) -> list[Path]:
    """The repository's files with one of the suffixes."""
    return [path for path in repository_files() if path.suffix in suffixes]


def text_of(path: Path) -> str | None:
    """A file's text, None when it is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
