"""The import rules of ARCHITECTURE.md, read from the sources themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, source_files

ALLOWED = {
    "protocol": {"protocol"},
    "execution": {"execution", "protocol"},
    "chain": {"chain", "protocol"},
    "market": {"market", "execution", "chain", "protocol"},
    "worker": {"worker", "execution", "chain", "protocol"},
    "verifier": {"verifier", "execution", "chain", "protocol"},
    "multitude": {"multitude", "execution", "chain", "protocol"},
    "deploy": {"deploy", "multitude", "market", "worker", "verifier", "execution", "chain", "protocol"},
}
ACTORS = {"market", "worker", "verifier"}

# What protocol may import: pure parts of the standard library and pure arithmetic, hashing and signing.
PURE = {
    *("__future__", "abc", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses", "enum", "fractions"),
    *("functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "string", "struct", "types"),
    *("typing", "typing_extensions", "numpy", "coincurve", "eth_abi", "eth_account", "eth_hash", "eth_keys"),
    *("eth_typing", "eth_utils", "hexbytes", "pydantic", "protocol", "sha3"),
}
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "breakpoint"}


def imports(source: str) -> list[tuple[str, bool]]:
    """Absolute imports of a source: (module, whether it stands at the top level)."""
    tree = ast.parse(source)
    top = {id(node) for node in tree.body}
    found: list[tuple[str, bool]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += [(f"{node.module}.{alias.name}", id(node) in top) for alias in node.names]
    return found


def broken_direction(package: str, source: str) -> list[str]:
    """Imports of a package's source that point the wrong way."""
    wrong = []
    for module, at_top in imports(source):
        parts = module.split(".")
        is_lazy_cli = package == "multitude" and parts[0] in ACTORS and parts[1:2] == ["cli"] and not at_top
        if parts[0] in ALLOWED and parts[0] not in ALLOWED[package] and not is_lazy_cli:
            wrong.append(module)
    return wrong


def impurities(source: str) -> list[str]:
    """What a source of protocol may not contain."""
    wrong = [module for module, _ in imports(source) if module.split(".")[0] not in PURE]
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return wrong + [f"{call.id}()" for call in calls if isinstance(call, ast.Name) and call.id in IMPURE_CALLS]


def under(folder: str) -> list[Path]:
    return [path for path in source_files(".py") if path.parts[0] == folder]


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("protocol", "import chain"),
        ("chain", "from execution import sandbox"),
        ("worker", "def lazily():\n    from market.jobs import models"),
        ("multitude", "from worker.cli import app"),
        ("multitude", "def lazily():\n    from worker import agent"),
    ],
)
def test_broken_direction_wrong_import_is_found(package, source):
    assert broken_direction(package, source)


def test_broken_direction_lazy_cli_is_allowed():
    assert not broken_direction("multitude", "def lazily():\n    from worker.cli import app")


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_imports_point_one_way(package):
    wrong = {str(path): broken_direction(package, (ROOT / path).read_text()) for path in under(package)}
    assert not {path: modules for path, modules in wrong.items() if modules}


@pytest.mark.parametrize("source", ["import time", "from os import environ", "import pathlib", "open('x')"])
def test_impurities_clock_or_files_are_found(source):
    assert impurities(source)


def test_protocol_is_pure():
    wrong = {str(path): impurities((ROOT / path).read_text()) for path in under("protocol")}
    assert not {path: found for path, found in wrong.items() if found}


def test_brownie_is_known_only_where_contracts_are_deployed_and_tested():
    homes = {("deploy", "contracts"), ("tests", "contracts")}
    knowing = [
        str(path)
        for path in source_files(".py")
        if path.parts[:2] not in homes
        and any(module.split(".")[0] == "brownie" for module, _ in imports((ROOT / path).read_text()))
    ]
    assert not knowing
