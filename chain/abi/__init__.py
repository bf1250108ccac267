"""The contracts' ABIs, exported by the deploy script into `<Contract>.json` here, and what follows from them."""

import json
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from chain.errors import AbiUnknown
from protocol.hashing import keccak256

FOLDER: Traversable = resources.files(__package__)


class Parameter(NamedTuple):
    """A value of a function, event or error: its name, its type in canonical form, the parts of a struct."""

    name: str
    type: str
    indexed: bool
    parts: tuple["Parameter", ...]

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Parameter":
        """The parameter of an ABI's entry."""
        parts = tuple(cls.of(part) for part in entry.get("components", ()))
        kind = entry["type"]
        if kind.startswith("tuple"):
            kind = f"({','.join(part.type for part in parts)}){kind.removeprefix('tuple')}"
        return cls(entry.get("name", ""), kind, bool(entry.get("indexed")), parts)


class Item(NamedTuple):
    """A function, event or error. `hash` is keccak of its signature: a selector is its first four bytes."""

    kind: str
    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    hash: bytes

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Item":
        """The item of an ABI's entry."""
        inputs = tuple(Parameter.of(value) for value in entry["inputs"])
        outputs = tuple(Parameter.of(value) for value in entry.get("outputs", ()))
        signature = f"{entry['name']}({','.join(value.type for value in inputs)})"
        return cls(entry["type"], entry["name"], inputs, outputs, keccak256(signature.encode()))

    @property
    def selector(self) -> bytes:
        """The four bytes that calldata and revert data begin with."""
        return self.hash[:4]


class Abi:
    """What one contract's ABI says. `entries` is the JSON list as solc writes it."""

    def __init__(self, name: str, entries: list[dict[str, Any]]) -> None:
        self.name = name
        self.entries = entries
        self.items = tuple(Item.of(entry) for entry in entries if entry["type"] in ("function", "event", "error"))

    def function(self, name: str) -> Item:
        """The function of that name (no contract of ours overloads one that we call). Raises AbiUnknown."""
        for item in self.items:
            if item.kind == "function" and item.name == name:
                return item
        raise AbiUnknown(f"{self.name} has no function {name}")

    def event(self, name: str) -> Item:
        """The event of that name. Raises AbiUnknown."""
        for item in self.events.values():
            if item.name == name:
                return item
        raise AbiUnknown(f"{self.name} has no event {name}")

    def function_name(self, calldata: bytes) -> str:
        """The function that calldata calls; the selector in hex where there is none."""
        return self._names.get(calldata[:4], "0x" + calldata[:4].hex())

    @cached_property
    def events(self) -> dict[bytes, Item]:
        """Events by their topic."""
        return {item.hash: item for item in self.items if item.kind == "event"}

    @cached_property
    def errors(self) -> dict[bytes, Item]:
        """Custom errors by selector."""
        return {item.selector: item for item in self.items if item.kind == "error"}

    @cached_property
    def _names(self) -> dict[bytes, str]:
        return {item.selector: item.name for item in self.items if item.kind == "function"}


@cache
def load(name: str) -> Abi:
    """The ABI of a contract by its name. Raises AbiUnknown."""
    path = FOLDER / f"{name}.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AbiUnknown(f"no ABI of {name}") from None
    return Abi(name, value["abi"] if isinstance(value, dict) else value)


def names() -> Iterator[str]:
    """The contracts that have an ABI here."""
    for path in FOLDER.iterdir():
        if path.name.endswith(".json"):
            yield path.name.removesuffix(".json")


@cache
def all_errors() -> dict[bytes, Item]:
    """Custom errors of every contract by selector: one contract's revert comes out of another's call."""
    return {selector: item for name in sorted(names()) for selector, item in load(name).errors.items()}
