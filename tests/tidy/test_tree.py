"""What no file of the repository may hold, and how large and how named a module may be."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.tidy.tree import ROOT, repository_files, source_files, text_of

MAX_LINES = 600
NAMES_WITHOUT_A_CONCEPT = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

# The patterns are put together so that this file does not find itself.
ADDRESSES = re.compile("|".join(["registry" + r"\.npmjs", "pypi" + r"\.org/simple", "files" + r"\.pythonhosted"]))
MACHINE_PATHS = re.compile("|".join([r"/wor" + r"k/(main|shared|steering)", r"/roo" + r"t/\.", r"/hom" + r"e/\w+/"]))
UNFINISHED = re.compile(
    r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b|NotImpl" + "emented"
)
SWALLOWED = re.compile(r"except( Exception| BaseException)?:\s*(#.*)?\n\s*pass\b|except:")
SKIPPED = re.compile(r"pytest\.(mark\.)?(sk" + r"ip|xf" + "ail)")

CODE = (".py", ".sol", ".ts", ".tsx", ".c", ".h", ".js", ".mjs", ".sh")


def holding(pattern: re.Pattern[str], suffixes: tuple[str, ...] | None = None) -> list[str]:
    """`path: match` for each file that the pattern is found in."""
    found = []
    for path in repository_files():
        text = text_of(path) if suffixes is None or path.suffix in suffixes else None
        match = pattern.search(text) if text is not None else None
        if match:
            found.append(f"{path}: {match.group(0)!r}")
    return found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (ADDRESSES, "https://" + "registry" + ".npmjs.org/solc"),
        (ADDRESSES, "pypi" + ".org/simple"),
        (MACHINE_PATHS, "/wor" + "k/main/protocol"),
        (MACHINE_PATHS, "/hom" + "e/somebody/code"),
        (UNFINISHED, "# TO" + "DO: later"),
        (UNFINISHED, "raise NotImpl" + "ementedError"),
        (SWALLOWED, "try:\n    f()\nexcept Exception:\n    pass\n"),
        (SWALLOWED, "except" + ":\n    return"),
        (SKIPPED, "@pytest.mark.sk" + "ip"),
    ],
)
def test_patterns_find_what_they_are_for(pattern, text):
    assert pattern.search(text)


def test_files_hold_no_registry_addresses():
    assert not holding(ADDRESSES)


def test_files_hold_no_machine_paths():
    assert not holding(MACHINE_PATHS)


def test_code_holds_no_unfinished_marks():
    assert not holding(UNFINISHED, CODE)


def test_python_swallows_no_error():
    assert not [found for found in holding(SWALLOWED, (".py",)) if not found.startswith("tests/tidy/")]


def test_tests_skip_nothing():
    assert not holding(SKIPPED, (".py",))


def test_lock_files_pin_every_package_by_hash():
    for name in ("bootstrap", "contracts", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        pins = re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)
        hashed = re.findall(r"^[a-z0-9].*== *\S+.*\\\n    --hash=sha256:", text, re.MULTILINE)
        assert pins
        assert len(pins) == len(hashed)
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_modules_are_named_for_a_concept():
    assert not [str(path) for path in source_files(*CODE) if set(path.with_suffix("").parts) & NAMES_WITHOUT_A_CONCEPT]


def test_modules_have_no_second_concept_inside():
    long = {str(path): len((ROOT / path).read_text().splitlines()) for path in source_files(*CODE)}
    assert not {path: lines for path, lines in long.items() if lines > MAX_LINES}


def test_make_help_lists_every_command():
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for command in ("help", "setup", "run", "lint", "test", "bench", "gas", "clean"):
        assert re.search(rf"make {command} +\S", listed)
