"""What was compared, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Outcome(Enum):
    """What a comparison says; the order is that of weight: one that disagrees outweighs one that cannot tell."""

    AGREES = "agrees"
    UNKNOWN = "unknown"
    DISAGREES = "disagrees"


EXIT_STATUS = {Outcome.AGREES: 0, Outcome.DISAGREES: 1, Outcome.UNKNOWN: 2}


@dataclass(frozen=True)
class Finding:
    """One comparison: what it is about, its result, and in words what was compared or how it differs."""

    topic: str
    outcome: Outcome
    detail: str

    def to_json(self) -> dict[str, str]:
        """The form that `--json` prints."""
        return {"topic": self.topic, "outcome": self.outcome.value, "detail": self.detail}


def agrees(topic: str, detail: str) -> Finding:
    """A comparison that came out equal."""
    return Finding(topic, Outcome.AGREES, detail)


def disagrees(topic: str, detail: str) -> Finding:
    """A comparison that did not."""
    return Finding(topic, Outcome.DISAGREES, detail)


def unknown(topic: str, detail: str) -> Finding:
    """A comparison that could not be made."""
    return Finding(topic, Outcome.UNKNOWN, detail)


def compared(topic: str, detail: str, differences: Iterable[str]) -> Finding:
    """Equal unless there are differences."""
    found = list(differences)
    return disagrees(topic, "; ".join(found)) if found else agrees(topic, detail)


def differs(name: str, said: object, found: object) -> list[str]:
    """A difference in words where the chain says one thing and the rules give another; else nothing."""
    return [] if said == found else [f"{name} is {shown(said)} on chain, {shown(found)} by the rules"]


def shown(value: object) -> str:
    """A value as text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return str(value)


@dataclass
class Report:
    """The findings on one subject: an epoch with its state on chain, or a deployment."""

    subject: str
    state: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """The weightiest of the findings."""
        said = {finding.outcome for finding in self.findings}
        return next((one for one in (Outcome.DISAGREES, Outcome.UNKNOWN) if one in said), Outcome.AGREES)

    @property
    def exit_status(self) -> int:
        """0 agrees, 1 disagrees, 2 cannot tell."""
        return EXIT_STATUS[self.outcome]

    def to_json(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        findings = [finding.to_json() for finding in self.findings]
        return {"subject": self.subject, "state": self.state, "outcome": self.outcome.value, "findings": findings}
