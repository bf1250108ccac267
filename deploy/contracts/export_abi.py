"""Writes chain/abi/<Contract>.json for everything off chain: `brownie run export_abi`. A test compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import brownie

from deploy.contracts.deploy import ORDER

FOLDER = Path("chain") / "abi"


def abi_text(name: str) -> str:
    """The committed form of a contract's ABI: its entries sorted, one a line."""
    entries: list[dict[str, Any]] = getattr(brownie, name).abi
    lines = sorted(json.dumps(entry, sort_keys=True) for entry in entries)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def main() -> None:
    """Writes the ABI of every deployed contract."""
    for name in ORDER:
        (FOLDER / f"{name}.json").write_text(abi_text(name), encoding="utf-8")
