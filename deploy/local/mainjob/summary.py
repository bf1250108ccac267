"""What a run writes into var/run/summary.json, and what makes it a failure. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chain.accounting import GasLine
from deploy.local.profiles import profile_named

LEAST_WRONG_TASKS = 150
MOST_MISS_PROBABILITY = 1e-6


@dataclass(frozen=True)
class DeviceLine:
    """A device. Tasks, WU and gross are those that were paid, for a convicted device those that it posted."""

    address: str
    honest: bool
    stake_wei: int
    tasks: int
    wu: int
    gross_wei: int
    paid_wei: int
    deducted_wei: int
    bonded_wei: int
    slashed_wei: int


@dataclass(frozen=True)
class LiarLine:
    """How much the liar made up in what it posted, and the chance that not one of it would have been drawn."""

    wrong_tasks: int
    miss_probability: float


@dataclass(frozen=True)
class BuyerLine:
    """The buyer's money in wei; `spent` contains fees and verification (the surcharge)."""

    escrowed_wei: int
    spent_wei: int
    fees_wei: int
    verification_wei: int
    refunded_wei: int


@dataclass(frozen=True)
class ReorgLine:
    """The reorganisation in the middle: blocks that were replaced, the first of them, the transactions to our contracts
    that went with them, and how many of those were mined again."""

    depth: int
    block: int
    transactions: int
    mined_again: int


@dataclass(frozen=True)
class Summary:
    """All of summary.json; None where something was not measured."""

    profile: str
    chain_id: int | None = None
    tasks: int | None = None
    accuracy: float | None = None
    held_out: int | None = None
    device: Sequence[DeviceLine] | None = None
    liar: LiarLine | None = None
    drawn: int | None = None
    overhead: float | None = None
    gas: Mapping[str, GasLine] | None = None
    gas_per_task: float | None = None
    buyer: BuyerLine | None = None
    conserved: bool | None = None
    reorg: ReorgLine | None = None
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The file's content: wei as decimal strings, null for what was not measured."""
        value = asdict(replace(self, gas=None))
        value["gas"] = None if self.gas is None else {step: line._asdict() for step, line in sorted(self.gas.items())}
        return {name: _wei_as_text(part) for name, part in value.items()}


@dataclass(frozen=True)
class Findings:
    """What else decides whether a run is good. Tasks by index, losses in words."""

    wrong_outputs: Sequence[int] = ()
    unsettled: Sequence[int] = ()
    redone_by_liar: Sequence[int] = ()
    honest_losses: Sequence[str] = ()
    slashes: int = 0
    trouble: Sequence[str] = field(default_factory=tuple)


def failures(summary: Summary, findings: Findings, liar: bool) -> list[str]:
    """Why the run is no success, a sentence each; `liar` says whether there was to be one."""
    found = list(findings.trouble)
    spared = {name for name, due in (("liar", liar), ("reorg", profile_named(summary.profile).reorg_depth)) if not due}
    missing = [name for name, value in summary.to_json().items() if value is None and name not in spared]
    if missing:
        found.append(f"not measured: {', '.join(missing)}")
    wrong = findings.wrong_outputs
    if wrong:
        found.append(f"{len(wrong)} outputs differ from the reference, first that of task {wrong[0]}")
    if findings.unsettled:
        found.append(f"{len(findings.unsettled)} tasks were not paid")
    if summary.conserved is False:
        found.append("a contract does not hold what it owes")
    found += [f"an honest party lost: {loss}" for loss in findings.honest_losses]
    found += _money_failures(summary) + _reorg_failures(summary)
    return found + (_liar_failures(summary, findings) if liar else _no_liar_failures(summary, findings))


def _money_failures(summary: Summary) -> list[str]:
    found = []
    buyer = summary.buyer
    if buyer and buyer.escrowed_wei != buyer.spent_wei + buyer.refunded_wei:
        found.append("escrowed is not spent + refunded")
    if buyer and buyer.spent_wei < buyer.fees_wei + buyer.verification_wei:
        found.append("spent does not contain fees and verification")
    for line in summary.device or ():
        if line.honest and line.gross_wei != line.paid_wei + line.bonded_wei + line.deducted_wei:
            found.append(f"{line.address}: gross is not paid + bonded + deducted")
        if line.honest and line.slashed_wei:
            found.append(f"{line.address} is honest and was slashed")
    return found


def _reorg_failures(summary: Summary) -> list[str]:
    reorg = summary.reorg
    if reorg is None:
        return []
    if not reorg.transactions:
        return ["the reorganisation took no transaction away"]
    lost = reorg.transactions - reorg.mined_again
    return [f"the reorganisation lost {lost} transactions for good"] if lost else []


def _liar_failures(summary: Summary, findings: Findings) -> list[str]:
    found = []
    liars = [line for line in summary.device or () if not line.honest]
    if len(liars) != 1:
        found.append(f"{len(liars)} liars, not 1")
    for line in liars:
        if line.slashed_wei == 0 or line.slashed_wei < line.stake_wei:
            found.append("the liar was not slashed")
        if line.paid_wei or line.bonded_wei:
            found.append("the liar was paid for voided work")
    if findings.redone_by_liar:
        found.append(f"{len(findings.redone_by_liar)} of the liar's tasks were not redone by others")
    if summary.liar and summary.liar.wrong_tasks < LEAST_WRONG_TASKS:
        found.append(f"the liar told {summary.liar.wrong_tasks} lies, not {LEAST_WRONG_TASKS}")
    if summary.liar and summary.liar.miss_probability >= MOST_MISS_PROBABILITY:
        found.append(f"the lies would all have been missed with a chance of {summary.liar.miss_probability:.1e}")
    return found


def _no_liar_failures(summary: Summary, findings: Findings) -> list[str]:
    found = ["there is a liar"] if any(not line.honest for line in summary.device or ()) else []
    return found + ([f"the vault slashed {findings.slashes} times"] if findings.slashes else [])


def _wei_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: str(v) if k.endswith("_wei") and v is not None else _wei_as_text(v) for k, v in value.items()}
    return [_wei_as_text(item) for item in value] if isinstance(value, (list, tuple)) else value
