"""The actors and messages that vectors and tests are made of: seeded, the same on every machine."""

from typing import Any

from protocol.hashing import keccak256
from protocol.merkle import Status, TaskResult
from protocol.messages import Bid, Domain, Receipt
from protocol.money import debit_of
from protocol.sampling import Seat
from protocol.signing import address_of
from protocol.spans import SpanSet

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
TOKEN = 10**18


def key_of(name: str) -> bytes:
    """The private key of a named actor of the vectors."""
    return keccak256(f"multitude vectors: {name}".encode())


def word_of(name: str, index: int = 0) -> bytes:
    """32 bytes that look random."""
    return keccak256(f"{name}/{index}".encode())


def number_of(name: str, index: int, bound: int) -> int:
    """A number below the bound that looks random."""
    return int.from_bytes(word_of(name, index), "big") % bound


BUYER, SETTLER, DEVICE, OWNER, VERIFIER = (
    address_of(key_of(name)) for name in ("buyer", "settler", "device", "owner", "verifier")
)


def bid_of(**changes: Any) -> Bid:
    """A bid like that of the digits job, with changes."""
    fields: dict[str, Any] = {
        "buyer": BUYER,
        "program_id": word_of("program"),
        "inputs_root": word_of("inputs"),
        "manifest": word_of("manifest"),
        "task_count": 1797,
        "span_tasks": 16,
        "task_limit_wu": 1_000_000,
        "max_output_bytes": 1_048_576,
        "max_price_wei_per_gwu": 5 * TOKEN,
        "budget": 1000 * TOKEN,
        "rate_floor_ppm": 100_000,
        "min_stake": 0,
        "deadline": 1_900_000_000,
        "settler": SETTLER,
        "max_fee_ppm": 30_000,
        "salt": word_of("salt"),
    }
    return Bid(**(fields | changes))


def receipt_of(**changes: Any) -> Receipt:
    """A receipt over 16 tasks, with changes."""
    fields: dict[str, Any] = {
        "job_id": bid_of().job_id,
        "device": DEVICE,
        "period": 0,
        "spans_hash": SpanSet.of([7]).hash,
        "results_root": word_of("results"),
        "count": 16,
        "total_wu": 1_600_000,
        "total_squared_wu": 160_000_000_000,
        "amount": 8_000_000_000_000_000,
        "post_by": 1_900_000_500,
    }
    return Receipt(**(fields | changes))


def results_of(count: int) -> list[TaskResult]:
    """`count` results of uneven WU, some not ok."""
    limit = bid_of().task_limit_wu
    results = []
    for task in range(count):
        failed = task % 7 == 6
        output = b"" if failed else word_of("output", task)[: 1 + task % 32]
        wu = limit if failed else 1 + number_of("wu", task, limit)
        results.append(TaskResult.of_output(task, output, wu, Status(1 + task % 3) if failed else Status.OK))
    return results


def receipts_of(count: int) -> list[tuple[Receipt, int]]:
    """`count` receipts of other devices, with their debits."""
    receipts = []
    for index in range(count):
        amount = number_of("amount", index, 10 * TOKEN)
        device = address_of(key_of(f"device {index}"))
        receipt = receipt_of(device=device, amount=amount, spans_hash=SpanSet.of([index]).hash)
        receipts.append((receipt, debit_of(amount, 20_000, 100_000)))
    return receipts


def seats() -> list[Seat]:
    """Nine seats of four verifiers; the third verifier's owner is that of the vectors' device."""
    actors = [address_of(key_of(f"verifier {i}")) for i in range(4)]
    owners = [address_of(key_of(f"seat owner {i}")) for i in range(4)]
    owners[2] = OWNER
    return [Seat(actors[i], owners[i]) for i in (0, 0, 0, 1, 1, 2, 2, 3, 1)]
