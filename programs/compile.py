"""Builds guest programs with zig's clang: the same bytes from the same sources, on every machine."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent

_FLAGS = (
    "-target",
    "wasm32-freestanding",
    "-mcpu=mvp+bulk_memory+mutable_globals+sign_ext",
    "-O2",
    "-nostdlib",
    "-Wall",
    "-Werror",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    "-Wl,-z,stack-size=16384",
)


def compile_guest(source: Path, target: Path, memory_pages: int) -> None:
    """Compiles one C file to a module whose memory is declared to be at most `memory_pages` of 64 KiB.

    Raises subprocess.CalledProcessError with the compiler's words on stderr.
    """
    command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, f"-Wl,--max-memory={memory_pages * 65536}"]
    # Relative paths and a fixed folder, so that nothing of this machine gets into the module.
    relative = source.relative_to(ROOT)
    subprocess.run([*command, "-o", str(target), str(relative)], cwd=ROOT, check=True)
    target.chmod(0o644)
