"""Builds guest programs with zig: the same bytes from the same sources, on every machine.

C goes through zig's clang, Zig through zig itself. Every source finds `guest.h` and the module `guest` (guest.zig).
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from protocol.wasm.bounds import PAGE_BYTES
from protocol.wasm.places import without_custom_sections

ROOT = Path(__file__).parent

DEFAULT_STACK_BYTES = 16_384
"""Of the stack that compilers keep in linear memory, for arrays and whatever has its address taken."""

_MACHINE = ("-target", "wasm32-freestanding", "-mcpu=mvp+bulk_memory+mutable_globals+sign_ext")
_C_FLAGS = ("-O2", "-nostdlib", "-Wall", "-Werror", "-Wno-c23-extensions", "-Wl,--no-entry")
_ZIG_FLAGS = ("-O", "ReleaseFast", "-fno-entry", "-rdynamic", "-fno-strip")


class CompilerMissing(Exception):
    """The package ziglang is not installed."""


class CompileFailed(Exception):
    """The compiler or the linker refused; the text is their own."""


def compile_source(source: Path, memory_pages: int, stack_bytes: int = DEFAULT_STACK_BYTES) -> bytes:
    """Compiles a .c or .zig file to a module with the names of its functions.

    Its memory is declared to be at most `memory_pages` of 64 KiB. Raises CompilerMissing, CompileFailed; ValueError for
    a file of another kind.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise CompilerMissing("zig is not installed: pip install 'multitude[build]'")
    commands = {".c": _c_command, ".zig": _zig_command}
    if source.suffix not in commands:
        raise ValueError(f"{source.name} is neither a .c nor a .zig file")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "module.wasm"
        arguments = commands[source.suffix](source.name, target, memory_pages * PAGE_BYTES, stack_bytes)
        # The source's own folder and a relative name, so that nothing of this machine gets into the module.
        done = subprocess.run(
            [sys.executable, "-m", "ziglang", *arguments],
            cwd=source.absolute().parent,
            env=os.environ | _caches(),
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode or not target.exists():
            raise CompileFailed(done.stderr.strip() or f"the compiler ended with status {done.returncode}")
        return target.read_bytes()


def compile_guest(source: Path, target: Path, memory_pages: int) -> None:
    """Compiles a source to the module that is shipped: names and debug sections are left out. As `compile_source`."""
    target.write_bytes(without_custom_sections(compile_source(source, memory_pages)))


def _c_command(name: str, target: Path, memory_bytes: int, stack_bytes: int) -> list[str]:
    sizes = (f"-Wl,-z,stack-size={stack_bytes}", f"-Wl,--max-memory={memory_bytes}")
    return ["cc", *_MACHINE, *_C_FLAGS, *sizes, "-I", str(ROOT), "-o", str(target), name]


def _zig_command(name: str, target: Path, memory_bytes: int, stack_bytes: int) -> list[str]:
    sizes = ("--stack", str(stack_bytes), f"--max-memory={memory_bytes}")
    modules = ("--dep", "guest", f"-Mroot={name}", f"-Mguest={ROOT / 'guest.zig'}")
    return ["build-exe", *_MACHINE, *_ZIG_FLAGS, *sizes, f"-femit-bin={target}", *modules]


def _caches() -> dict[str, str]:
    """Where zig keeps its caches, unless the user says otherwise: in a checkout under var/."""
    checkout = ROOT.parent
    folder = checkout / "var" / "cache" if (checkout / "Makefile").exists() else user_cache_path("multitude")
    names = ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")
    return {name: str(folder / "zig") for name in names if name not in os.environ}
