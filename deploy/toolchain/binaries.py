"""Where the binaries that npm installed lie. The platform's own binary is used, never npm's Node wrapper: a wrapper
that is killed leaves its child running."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout's top folder."""

_OPERATING_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "win32"}
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class ToolMissingError(Exception):
    """Raised when a binary of the toolchain is not installed; `make setup` installs it."""


def platform_package(tool: str) -> str:
    """Name of the npm package that holds `tool` (anvil or forge) for this machine: @foundry-rs/anvil-linux-amd64."""
    system = _OPERATING_SYSTEMS.get(sys.platform, sys.platform)
    architecture = _ARCHITECTURES.get(platform.machine().lower(), platform.machine().lower())
    return f"@foundry-rs/{tool}-{system}-{architecture}"


def _binary(tool: str) -> Path:
    suffix = ".exe" if sys.platform == "win32" else ""
    path = ROOT / "node_modules" / platform_package(tool) / "bin" / f"{tool}{suffix}"
    if not path.is_file():
        raise ToolMissingError(f"{tool} is not installed at {path}: run `make setup`")
    return path


def anvil_binary() -> Path:
    """The anvil binary itself. Raises ToolMissingError."""
    return _binary("anvil")


def forge_binary() -> Path:
    """The forge binary itself. Raises ToolMissingError."""
    return _binary("forge")


def solc_directory() -> Path:
    """The folder of the solc wrapper, for SOLCX_BINARY_PATH."""
    return ROOT / "deploy" / "toolchain" / "solc"
