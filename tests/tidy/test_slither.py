"""What Slither finds is compared with what docs/slither.md explains (`make slither` runs it)."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.toolchain.slither import EXPLANATIONS, Finding, SlitherFailedError, explained_in, findings_of

CONTRACT = {"type": "contract", "name": "Panel"}
FUNCTION = {"type": "function", "name": "open", "type_specific_fields": {"parent": CONTRACT}}
LOCAL = {"type": "variable", "name": "found", "type_specific_fields": {"parent": FUNCTION}}
STATE = {"type": "variable", "name": "_games", "type_specific_fields": {"parent": CONTRACT}}


def report(*elements: dict[str, Any]) -> dict[str, Any]:
    """Slither's report with one finding for each element."""
    return {"success": True, "results": {"detectors": [{"check": "a-check", "elements": [one]} for one in elements]}}


def test_findings_of_a_failed_run_raise() -> None:
    with pytest.raises(SlitherFailedError):
        findings_of({"success": False, "error": "no compiler"})


def test_findings_of_are_named_by_contract_and_member() -> None:
    found = findings_of(report(FUNCTION, LOCAL, STATE, CONTRACT))
    assert found == {Finding("a-check", where) for where in ("Panel.open", "Panel._games", "Panel")}


def test_explained_in_reads_rows_and_no_heads() -> None:
    text = "| Detector | Where | Why |\n| --- | --- | --- |\n| a-check | Panel.open, `Panel._games` | It stands. |\n"
    assert explained_in(text) == {Finding("a-check", "Panel.open"), Finding("a-check", "Panel._games")}


def test_explanations_are_read() -> None:
    assert Finding("arbitrary-send-eth", "Panel.withdraw") in explained_in(EXPLANATIONS.read_text(encoding="utf-8"))
