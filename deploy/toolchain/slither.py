"""Slither over the contracts, and whether docs/slither.md explains every finding: `python -m deploy.toolchain.slither`.

Slither compiles with forge and lives in an environment of its own, which `make slither` makes.
Exit status 0 when all findings are explained and nothing explained is gone, else 1 with what differs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from deploy.toolchain.binaries import ROOT, forge_binary

SLITHER = ROOT / "var" / "slither" / "bin" / "slither"
EXPLANATIONS = ROOT / "docs" / "slither.md"
REPORT = ROOT / "var" / "slither" / "findings.json"
_ROW = re.compile(r"^\| ([a-z][a-z-]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


class SlitherFailedError(Exception):
    """Raised when Slither could not analyse the contracts."""


class Finding(NamedTuple):
    """A detector's name, and the contract's function or variable that it points at."""

    detector: str
    where: str


def place_of(element: Mapping[str, Any]) -> str:
    """`Contract.member` of an element of Slither's report; the member that a local variable or statement lies in."""
    while element["type"] not in ("function", "contract"):
        parent = element["type_specific_fields"]["parent"]
        if parent["type"] == "contract" and element["type"] == "variable":
            return f"{parent['name']}.{element['name']}"
        element = parent
    if element["type"] == "contract":
        return str(element["name"])
    return f"{element['type_specific_fields']['parent']['name']}.{element['name']}"


def findings_of(report: Mapping[str, Any]) -> set[Finding]:
    """All findings of a report. Raises SlitherFailedError."""
    if not report["success"]:
        raise SlitherFailedError(report["error"])
    found = report["results"].get("detectors", [])
    return {Finding(item["check"], place_of(item["elements"][0])) for item in found}


def explained_in(text: str) -> set[Finding]:
    """The findings that a document's rows `| detector | Contract.member, ... | why |` name."""
    return set(_named(text))


def _named(text: str) -> Iterator[Finding]:
    for detector, places, _ in _ROW.findall(text):
        yield from (Finding(detector, place.strip(" `")) for place in places.split(","))


def analyse() -> dict[str, Any]:
    """Runs Slither; its report. Raises SlitherFailedError."""
    REPORT.unlink(missing_ok=True)
    path = os.pathsep.join([str(forge_binary().parent), os.environ.get("PATH", "")])
    command = [str(SLITHER), ".", "--config-file", "slither.config.json", "--json", str(REPORT)]
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if not REPORT.is_file():
        raise SlitherFailedError(run.stderr[-2000:])
    report: dict[str, Any] = json.loads(REPORT.read_text())
    return report


def main() -> int:
    """Runs Slither and compares; the exit status."""
    found, explained = findings_of(analyse()), explained_in(EXPLANATIONS.read_text(encoding="utf-8"))
    for finding in sorted(found - explained):
        print(f"not explained: {finding.detector} in {finding.where}")
    for finding in sorted(explained - found):
        print(f"explained and gone: {finding.detector} in {finding.where}")
    print(f"{len(found)} findings, {len(found - explained)} of them not explained in docs/slither.md")
    return int(found != explained)


if __name__ == "__main__":
    sys.exit(main())
