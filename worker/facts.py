"""The facts that a device's journal is made of, with their JSON forms. Replaying them in order gives the book again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from protocol.encoding import from_hex, to_hex, uint_from_json
from protocol.errors import EncodingInvalid, ProtocolError
from protocol.merkle import TaskResult
from protocol.messages import Receipt
from worker.errors import JournalCorrupt
from worker.grants import Grant, LeaseKey, Network


class Outcome(StrEnum):
    """How a lease ended. UNKNOWN: its receipt was signed and the market did not say that it has it.

    LAPSED: accepted, and its postBy passed before it was posted, so no receipt can carry it any more.
    """

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    LAPSED = "lapsed"
    DROPPED = "dropped"


@dataclass(frozen=True)
class NetworkPinned:
    """The network that this journal belongs to, learnt at the first contact."""

    network: Network


@dataclass(frozen=True)
class LeaseTaken:
    """A lease was checked and taken."""

    grant: Grant

    @property
    def key(self) -> LeaseKey:
        """The lease."""
        return self.grant.key


@dataclass(frozen=True)
class ResultsRecorded:
    """The results of a lease in task order, and the blob id of their outputs. They never change."""

    key: LeaseKey
    results: tuple[TaskResult, ...]
    outputs: bytes


@dataclass(frozen=True)
class PeriodMoved:
    """The lease's period was posted without it: its results belong to a later period."""

    key: LeaseKey
    period: int


@dataclass(frozen=True)
class ReceiptSigned:
    """The receipt that carries a lease's results, in full, written before it is sent."""

    key: LeaseKey
    receipt: Receipt
    signature: bytes


@dataclass(frozen=True)
class LeaseSettled:
    """A lease ended."""

    key: LeaseKey
    outcome: Outcome


@dataclass(frozen=True)
class Convicted:
    """The market told that this device was convicted: it works no more."""


LeaseFact = LeaseTaken | ResultsRecorded | PeriodMoved | ReceiptSigned | LeaseSettled
Fact = NetworkPinned | LeaseFact | Convicted


def result_to_row(result: TaskResult) -> list[Any]:
    """The JSON row of a result: [taskIndex, outputLength, outputRoot, wu, status]."""
    return [
        result.task_index,
        str(result.output_length),
        to_hex(result.output_root),
        str(result.wu),
        result.status,
    ]


def result_of_row(row: object) -> TaskResult:
    """The result of its JSON row; EncodingInvalid says what is wrong."""
    if not isinstance(row, Sequence) or len(row) != 5:
        raise EncodingInvalid("a result has 5 fields")
    return TaskResult(
        uint_from_json(row[0], 32, "taskIndex"),
        uint_from_json(row[1], 64, "outputLength"),
        from_hex(row[2], 32, "outputRoot"),
        uint_from_json(row[3], 64, "wu"),
        uint_from_json(row[4], 8, "status"),
    )


def fact_to_json(fact: Fact) -> dict[str, Any]:
    """The JSON form of a fact."""
    match fact:
        case NetworkPinned(network):
            return {"fact": "network", "network": network.to_json()}
        case LeaseTaken(grant):
            return {"fact": "taken", "grant": grant.to_json()}
        case ResultsRecorded(key, results, outputs):
            rows = [result_to_row(result) for result in results]
            return {"fact": "results", **_key_json(key), "results": rows, "outputs": to_hex(outputs)}
        case PeriodMoved(key, period):
            return {"fact": "moved", **_key_json(key), "period": period}
        case ReceiptSigned(key, receipt, signature):
            signed = {"receipt": receipt.to_json(), "signature": to_hex(signature)}
            return {"fact": "signed", **_key_json(key), **signed}
        case LeaseSettled(key, outcome):
            return {"fact": "settled", **_key_json(key), "outcome": outcome.value}
        case Convicted():
            return {"fact": "convicted"}


def fact_from_json(value: object) -> Fact:
    """The fact of its JSON form. JournalCorrupt says what is wrong."""
    if not isinstance(value, Mapping) or value.get("fact") not in _READERS:
        raise JournalCorrupt(f"not a fact: {str(value)[:80]}")
    try:
        return _READERS[value["fact"]](value)
    except (ProtocolError, KeyError, ValueError, TypeError) as error:
        raise JournalCorrupt(f"a malformed fact {value['fact']}: {error}") from error


def _key_json(key: LeaseKey) -> dict[str, str]:
    return {"jobId": to_hex(key.job_id), "leaseId": str(key.lease_id)}


def _key(value: Mapping[str, Any]) -> LeaseKey:
    return LeaseKey(from_hex(value["jobId"], 32, "jobId"), uint_from_json(value["leaseId"], 64, "leaseId"))


def _results(value: Mapping[str, Any]) -> ResultsRecorded:
    rows = tuple(result_of_row(row) for row in value["results"])
    return ResultsRecorded(_key(value), rows, from_hex(value["outputs"], 32, "outputs"))


def _signed(value: Mapping[str, Any]) -> ReceiptSigned:
    signature = from_hex(value["signature"], 65, "signature")
    return ReceiptSigned(_key(value), Receipt.from_json(value["receipt"]), signature)


_READERS: dict[str, Callable[[Mapping[str, Any]], Fact]] = {
    "network": lambda value: NetworkPinned(Network.from_json(value["network"])),
    "taken": lambda value: LeaseTaken(Grant.from_json(value["grant"])),
    "results": _results,
    "moved": lambda value: PeriodMoved(_key(value), uint_from_json(value["period"], 32, "period")),
    "signed": _signed,
    "settled": lambda value: LeaseSettled(_key(value), Outcome(value["outcome"])),
    "convicted": lambda _: Convicted(),
}
