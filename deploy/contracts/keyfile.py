"""A private key in a file that only its owner can read."""

import stat
from pathlib import Path

KEY_BYTES = 32


def read_key(path: Path) -> str:
    """The key as 0x-hex. Raises ValueError where it is none or others can read it, OSError."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError(f"{path} can be read by others: chmod 600 it")
    key = bytes.fromhex(path.read_text().strip().removeprefix("0x"))
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} holds {len(key)} bytes, not {KEY_BYTES}")
    return "0x" + key.hex()
