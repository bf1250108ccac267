"""The five signed messages (sections 1 and 2).

A Python field is the struct's field in snake case (`taskLimitWU` is `task_limit_wu`). bytes32 are `bytes`, addresses
checksummed `str`, lists tuples. Building a message checks every range: EncodingInvalid says which field is wrong.
"""

from dataclasses import dataclass
from typing import ClassVar

from protocol.errors import EncodingInvalid
from protocol.structs import Domain, Message

__all__ = ["Bid", "Binding", "Domain", "Lease", "Message", "Receipt", "Session"]

RATE_FLOOR_MIN_PPM = 10_000
FEE_MAX_PPM = 30_000
SPAN_TASKS_MAX = 256


@dataclass(frozen=True)
class Bid(Message):
    """What the buyer signs to open a job. Prices in wei per GWU, `budget` and `min_stake` in wei, limits in WU."""

    type_string: ClassVar[str] = (
        "Bid(address buyer,bytes32 programId,bytes32 inputsRoot,bytes32 manifest,uint32 taskCount,uint32 spanTasks,"
        "uint64 taskLimitWU,uint32 maxOutputBytes,uint128 maxPriceWeiPerGWU,uint128 budget,uint24 rateFloorPpm,"
        "uint128 minStake,uint40 deadline,address settler,uint24 maxFeePpm,bytes32 salt)"
    )

    buyer: str
    program_id: bytes
    inputs_root: bytes
    manifest: bytes
    task_count: int
    span_tasks: int
    task_limit_wu: int
    max_output_bytes: int
    max_price_wei_per_gwu: int
    budget: int
    rate_floor_ppm: int
    min_stake: int
    deadline: int
    settler: str
    max_fee_ppm: int
    salt: bytes

    @property
    def job_id(self) -> bytes:
        """The job that this bid opens: its struct hash."""
        return self.struct_hash

    @property
    def span_count(self) -> int:
        """Spans of the job, the last one perhaps short."""
        return -(-self.task_count // self.span_tasks)

    def check_rules(self) -> None:
        """EncodingInvalid where the fields fit their types and yet no job can be opened on them."""
        if self.task_count == 0:
            raise EncodingInvalid("taskCount is 0")
        if not 1 <= self.span_tasks <= SPAN_TASKS_MAX:
            raise EncodingInvalid(f"spanTasks is {self.span_tasks}, not 1 to {SPAN_TASKS_MAX}")
        if self.task_limit_wu == 0:
            raise EncodingInvalid("taskLimitWU is 0")
        if not RATE_FLOOR_MIN_PPM <= self.rate_floor_ppm <= 1_000_000:
            raise EncodingInvalid(f"rateFloorPpm is {self.rate_floor_ppm}, not {RATE_FLOOR_MIN_PPM} to 1000000")
        if self.max_fee_ppm > FEE_MAX_PPM:
            raise EncodingInvalid(f"maxFeePpm is {self.max_fee_ppm}, above {FEE_MAX_PPM}")


@dataclass(frozen=True)
class Lease(Message):
    """Spans given to a device for a time, signed by the settler. `expiry` and `post_by` in Unix seconds."""

    type_string: ClassVar[str] = (
        "Lease(bytes32 jobId,uint64 leaseId,uint32[] spans,address device,uint128 priceWeiPerGWU,uint40 expiry,"
        "uint40 postBy)"
    )

    job_id: bytes
    lease_id: int
    spans: tuple[int, ...]
    device: str
    price_wei_per_gwu: int
    expiry: int
    post_by: int


@dataclass(frozen=True)
class Receipt(Message):
    """A device's cumulative claim for a job and period. `amount` in wei, `post_by` in Unix seconds."""

    type_string: ClassVar[str] = (
        "Receipt(bytes32 jobId,address device,uint32 period,bytes32 spansHash,bytes32 resultsRoot,uint32 count,"
        "uint64 totalWU,uint128 totalSquaredWU,uint128 amount,uint40 postBy)"
    )

    job_id: bytes
    device: str
    period: int
    spans_hash: bytes
    results_root: bytes
    count: int
    total_wu: int
    total_squared_wu: int
    amount: int
    post_by: int


@dataclass(frozen=True)
class Binding(Message):
    """A device belongs to an owner, for good. Signed by both."""

    type_string: ClassVar[str] = "Binding(address device,address owner)"

    device: str
    owner: str


@dataclass(frozen=True)
class Session(Message):
    """A device talks to a market. `issued_at` in Unix seconds."""

    type_string: ClassVar[str] = "Session(address device,uint40 issuedAt,bytes32 nonce)"

    device: str
    issued_at: int
    nonce: bytes
