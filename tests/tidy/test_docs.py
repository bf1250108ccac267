"""What the documents name exists: every test of docs/threats.md and docs/invariants.md; and the odds of corrupt panels
that docs/threats.md prints are those of the binomial distribution."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from math import comb
from typing import NamedTuple

import pytest

from tests.tidy.tree import ROOT

THREATS = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
INVARIANTS = (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8")
FUZZ = ROOT / "tests" / "contracts" / "fuzz"
SECTIONS = (
    "The market's API",
    "Contracts and money",
    "Settlers",
    "Devices",
    "Verifiers and panels",
    "Programs and guests",
    "Buyers",
    "Chain",
)
FEWEST_LETTERS = 3
"""Of a pattern before its `*`: a shorter one names nothing."""


class Reference(NamedTuple):
    """A file of tests, as a path below tests/ without its suffix, and a pattern of a test's name without `test_`."""

    file: str
    pattern: str


@cache
def names_in(file: str) -> frozenset[str]:
    """The tests of a file below tests/, without `test_`; none where there is no such file."""
    for path in (ROOT / "tests" / f"{file}.py", ROOT / "tests" / file):
        if path.is_file():
            return frozenset(re.findall(r"(?:def|function) test_(\w+)", path.read_text(encoding="utf-8")))
    return frozenset()


def references_of(cell: str, folder: str) -> list[Reference]:
    """The tests that a cell names: `file: name_*, name; file`; a file is in `folder` unless it begins with tests/."""
    found = []
    for part in filter(None, (part.strip() for part in cell.split(";"))):
        file, _, names = part.partition(":")
        file = file.strip()
        file = file.removeprefix("tests/") if file.startswith("tests/") else f"{folder}/{file}"
        found += [Reference(file, name.strip().removeprefix("test_")) for name in (names or "*").split(",")]
    return found


def rows_of(text: str) -> list[tuple[str, list[Reference]]]:
    """Threat and tests of each row of the tables whose head is `threat | rule that stops it | test (tests/FOLDER)`."""
    rows, folder = [], ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        head = re.fullmatch(r"test \(tests/(\w+)\)", cells[-1])
        if not line.startswith("|"):
            folder = ""
        elif head:
            folder = head[1]
        elif folder and set(cells[-1]) - set("- "):
            rows.append((cells[0], references_of(cells[-1], folder)))
    return rows


def missing_of(reference: Reference) -> str | None:
    """What is wrong with a reference, None where it names a test."""
    names = names_in(reference.file)
    if not names:
        return f"no tests in tests/{reference.file}"
    if reference.pattern != "*" and len(reference.pattern.rstrip("*")) < FEWEST_LETTERS:
        return f"{reference.pattern} names nothing"
    if not any(fnmatchcase(name, reference.pattern) for name in names):
        return f"no test_{reference.pattern} in tests/{reference.file}"
    return None


def at_least(needed: int, seats: int, corrupt: float) -> float:
    """The chance that `needed` or more of so many drawn seats are corrupt, of many seats a share `corrupt`."""
    return sum(exactly(number, seats, corrupt) for number in range(needed, seats + 1))


def exactly(number: int, seats: int, corrupt: float) -> float:
    """The chance of just that number."""
    return comb(seats, number) * corrupt**number * (1 - corrupt) ** (seats - number)


ODDS = {
    "The first seats of a leaf call a lie right": lambda f: 0.9 * exactly(1, 1, f) + 0.1 * exactly(2, 2, f),
    "A redraw is theirs: two of three": lambda f: at_least(2, 3, f),
    "A panel is theirs: two of three": lambda f: at_least(2, 3, f),
    "An appeal is theirs: four of six": lambda f: at_least(4, 6, f),
    "An appeal hangs on them: three of six": lambda f: exactly(3, 6, f),
}
SHARES = (0.1, 0.2, 0.33)


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("test_gone", "no tests in tests/contracts/test_gone"),
        ("test_token: nothing_of_that_kind_*", "no test_nothing_of_that_kind_* in tests/contracts/test_token"),
        ("test_token: t*", "t* names nothing"),
        ("tests/gone/test_token", "no tests in tests/gone/test_token"),
    ],
)
def test_missing_of_a_test_that_does_not_exist_says_so(cell: str, wanted: str) -> None:
    (reference,) = references_of(cell, "contracts")
    assert missing_of(reference) == wanted


def test_threats_name_tests_that_exist() -> None:
    rows = rows_of(THREATS)
    assert len(rows) >= 100
    assert not [f"{threat}: {fault}" for threat, found in rows for fault in map(missing_of, found) if fault]
    assert not [threat for threat, found in rows if not found]


def test_threats_have_their_sections() -> None:
    assert tuple(re.findall(r"^## (.+)$", THREATS, re.MULTILINE)) == SECTIONS


def test_invariants_name_tests_that_exist() -> None:
    solidity = "".join(path.read_text(encoding="utf-8") for path in FUZZ.glob("*.sol"))
    python = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "contracts").glob("test_*.py"))
    tests = set(re.findall(r"\btest_\w+\b(?!\.py)", INVARIANTS))
    assert tests <= {f"test_{name}" for name in re.findall(r"(?:def|function) test_(\w+)", solidity + python)}
    functions = {f"{path.stem}.{name}" for path in FUZZ.glob("*.sol") for name in _functions(path.read_text())}
    assert set(re.findall(r"`(Handler\.(?!sol)\w+)`", INVARIANTS)) <= functions
    assert all((ROOT / path).is_file() for path in re.findall(r"tests/contracts/\w+\.py", INVARIANTS))


def _functions(text: str) -> list[str]:
    return re.findall(r"function (\w+)", text)


def test_odds_of_corrupt_seats_are_those_printed() -> None:
    for name, chance in ODDS.items():
        printed = " | ".join(f"{100 * chance(share):.2g} %" for share in SHARES)
        assert f"| {name} | {printed} |" in THREATS, f"| {name} | {printed} |"
