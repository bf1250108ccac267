"""What a market hands out with a lease, and everything that is checked of it before anything of it is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from protocol.encoding import ZERO_ADDRESS, checksum_address, from_hex, to_hex, uint_from_json
from protocol.errors import EncodingInvalid, ProtocolError
from protocol.messages import Bid, Domain, Lease
from protocol.program import ProgramFacts
from protocol.spans import SpanSet
from worker.errors import LeaseRefused

HEARTBEAT_MIN_S = 0.2
HEARTBEAT_MAX_S = 3_600.0
BID_SIGNATURE_BYTES_MAX = 4_096


class LeaseKey(NamedTuple):
    """A lease by its job and its fencing number."""

    job_id: bytes
    lease_id: int

    def __str__(self) -> str:
        return f"{to_hex(self.job_id)[:10]}/{self.lease_id}"


@dataclass(frozen=True)
class Network:
    """The market's network: its EIP-712 domain, its settler, and where blobs are."""

    domain: Domain
    settler: str
    blobs_url: str

    @classmethod
    def from_json(cls, value: object) -> "Network":
        """Of GET /v1/network; names beyond ours are left alone. EncodingInvalid says what is missing."""
        fields = _mapping(value, "the network")
        addresses = _mapping(fields.get("addresses"), "addresses")
        blobs = fields.get("blobs")
        if not isinstance(blobs, str):
            raise EncodingInvalid("blobs is not a URL")
        chain_id = fields.get("chain_id")
        domain = Domain(
            chain_id if isinstance(chain_id, int) else uint_from_json(chain_id, 256, "chain_id"),
            to_hex(from_hex(addresses.get("JobEscrow"), 20, "JobEscrow")),
        )
        return cls(domain, _address(fields.get("settler"), "settler"), blobs)

    def to_json(self) -> dict[str, Any]:
        """Back to JSON, for the journal."""
        escrow = self.domain.verifying_contract
        return {
            "chain_id": self.domain.chain_id,
            "addresses": {"JobEscrow": escrow},
            "settler": self.settler,
            "blobs": self.blobs_url,
        }


@dataclass(frozen=True)
class ReceiptBase:
    """What the market holds of this device for (job, period): the spans, their tasks' count and WU."""

    spans: SpanSet
    count: int
    total_wu: int

    @classmethod
    def from_json(cls, value: object) -> "ReceiptBase | None":
        """Of `receiptBase`; None where the market holds nothing."""
        if value is None:
            return None
        fields = _mapping(value, "receiptBase")
        words = fields.get("words")
        if not isinstance(words, list):
            raise EncodingInvalid("words is not a list")
        spans = SpanSet(
            uint_from_json(fields.get("firstWord"), 32, "firstWord"),
            tuple(int.from_bytes(from_hex(word, 32, "word"), "big") for word in words),
        )
        count = uint_from_json(fields.get("count"), 32, "count")
        return cls(spans, count, uint_from_json(fields.get("totalWU"), 64, "totalWU"))

    def to_json(self) -> dict[str, Any]:
        """Back to JSON, for the journal."""
        words = [f"0x{word:064x}" for word in self.spans.words]
        return {
            "firstWord": self.spans.first_word,
            "words": words,
            "count": self.count,
            "totalWU": str(self.total_wu),
        }


@dataclass(frozen=True)
class Grant:
    """A lease with all that belongs to it, as the market sent it: nothing here is checked beyond its form."""

    lease: Lease
    signature: bytes
    period: int
    base: ReceiptBase | None
    bid: Bid
    bid_signature: bytes
    program: ProgramFacts
    heartbeat_s: float

    @property
    def key(self) -> LeaseKey:
        """The lease's name."""
        return LeaseKey(self.lease.job_id, self.lease.lease_id)

    @property
    def spans(self) -> SpanSet:
        """The lease's spans. SpansInvalid if one is repeated."""
        return SpanSet.of(self.lease.spans)

    @property
    def tasks(self) -> tuple[int, ...]:
        """The job's task index of each task of the lease, rising."""
        return self.spans.tasks(self.bid.task_count, self.bid.span_tasks)

    @classmethod
    def from_json(cls, value: object) -> "Grant":
        """Of POST /v1/leases/next; names beyond ours are left alone. ProtocolError says what does not fit."""
        fields = _mapping(value, "the lease")
        heartbeat = fields.get("heartbeatSeconds")
        if not isinstance(heartbeat, int | float) or not HEARTBEAT_MIN_S <= heartbeat <= HEARTBEAT_MAX_S:
            raise EncodingInvalid(f"heartbeatSeconds is {heartbeat!r}")
        return cls(
            lease=Lease.from_json(fields.get("lease")),
            signature=from_hex(fields.get("signature"), 65, "signature"),
            period=uint_from_json(fields.get("period"), 32, "period"),
            base=ReceiptBase.from_json(fields.get("receiptBase")),
            bid=Bid.from_json(fields.get("bid")),
            bid_signature=_bid_signature(fields.get("bidSignature")),
            program=program_from_json(fields.get("program")),
            heartbeat_s=float(heartbeat),
        )

    def to_json(self) -> dict[str, Any]:
        """Back to JSON, for the journal."""
        return {
            "lease": self.lease.to_json(),
            "signature": to_hex(self.signature),
            "period": self.period,
            "receiptBase": None if self.base is None else self.base.to_json(),
            "bid": self.bid.to_json(),
            "bidSignature": to_hex(self.bid_signature),
            "program": program_to_json(self.program),
            "heartbeatSeconds": self.heartbeat_s,
        }


@dataclass(frozen=True)
class Terms:
    """What this device asks of every lease. Prices in wei per GWU, memory in pages of 64 KiB."""

    device: str
    min_price_wei_per_gwu: int
    memory_pages_max: int
    spans_max: int = 64


def check_grant(grant: Grant, network: Network, terms: Terms, now: float) -> None:
    """LeaseRefused unless the lease is the settler's, of the bid's own job, and on the device's terms.

    `now` is in Unix seconds. Checked here is all that needs neither blobs nor the journal. Whether the buyer signed is
    for the escrow: a contract wallet's signature can be judged by its contract alone, and a settler that made a bid up
    would gain nothing that it could not have by posting no receipt.
    """
    try:
        _check_signatures(grant, network)
        _check_spans(grant, terms)
    except ProtocolError as error:
        raise LeaseRefused(error.reason) from None
    _check_terms(grant, terms)
    _check_times(grant, now)


def _check_signatures(grant: Grant, network: Network) -> None:
    bid, lease = grant.bid, grant.lease
    bid.check_rules()
    if bid.job_id != lease.job_id:
        raise LeaseRefused("the lease is of another job than the bid opens")
    settler = network.settler if bid.settler == ZERO_ADDRESS else bid.settler
    lease.check_signature(network.domain, grant.signature, settler)
    if grant.program.program_id != bid.program_id:
        raise LeaseRefused("the program's facts are not those that the bid names")


def _bid_signature(value: object) -> bytes:
    signature = from_hex(value, None, "bidSignature")
    if len(signature) > BID_SIGNATURE_BYTES_MAX:
        raise EncodingInvalid(f"bidSignature has {len(signature)} bytes, at most {BID_SIGNATURE_BYTES_MAX}")
    return signature


def _check_spans(grant: Grant, terms: Terms) -> None:
    if not 1 <= len(grant.lease.spans) <= terms.spans_max:
        raise LeaseRefused(f"{len(grant.lease.spans)} spans, not 1 to {terms.spans_max}")
    if not grant.tasks:
        raise LeaseRefused("no tasks")


def _check_terms(grant: Grant, terms: Terms) -> None:
    bid, lease = grant.bid, grant.lease
    if lease.device != terms.device:
        raise LeaseRefused(f"the lease is for {lease.device}")
    if lease.price_wei_per_gwu < terms.min_price_wei_per_gwu:
        raise LeaseRefused(f"{lease.price_wei_per_gwu} wei per GWU, this device asks {terms.min_price_wei_per_gwu}")
    if lease.price_wei_per_gwu > bid.max_price_wei_per_gwu:
        raise LeaseRefused("a price above the bid's: no claim would pay it")
    if bid.task_limit_wu > grant.program.limit_wu:
        raise LeaseRefused(f"tasks of {bid.task_limit_wu} WU, the program's limit is {grant.program.limit_wu}")
    if grant.program.memory_pages > terms.memory_pages_max:
        raise LeaseRefused(f"{grant.program.memory_pages} pages of memory, this device has {terms.memory_pages_max}")


def _check_times(grant: Grant, now: float) -> None:
    if grant.lease.expiry <= now:
        raise LeaseRefused(f"the lease expired {now - grant.lease.expiry:.0f} s ago")
    if grant.lease.post_by < grant.lease.expiry:
        raise LeaseRefused("postBy lies before the expiry")
    if grant.bid.deadline <= now:
        raise LeaseRefused("the bid's deadline has passed")


def program_from_json(value: object) -> ProgramFacts:
    """The facts of a program in their JSON form, whose programId has to be theirs; other names are left alone."""
    fields = _mapping(value, "the program")
    facts = ProgramFacts(
        assurance=uint_from_json(fields.get("class"), 8, "class"),
        original_hash=from_hex(fields.get("originalHash"), 32, "originalHash"),
        rewritten_hash=from_hex(fields.get("rewrittenHash"), 32, "rewrittenHash"),
        code_root=from_hex(fields.get("codeRoot"), 32, "codeRoot"),
        initial_memory_root=from_hex(fields.get("initialMemoryRoot"), 32, "initialMemoryRoot"),
        limit_wu=uint_from_json(fields.get("limitWU"), 64, "limitWU"),
        memory_pages=uint_from_json(fields.get("memoryPages"), 32, "memoryPages"),
        frame_bytes=uint_from_json(fields.get("frameBytes"), 32, "frameBytes"),
        tool_version=uint_from_json(fields.get("toolVersion"), 32, "toolVersion"),
    )
    if from_hex(fields.get("programId"), 32, "programId") != facts.program_id:
        raise EncodingInvalid("programId is not that of the program's facts")
    return facts


def program_to_json(facts: ProgramFacts) -> dict[str, Any]:
    """The facts of a program in their JSON form."""
    return {
        "programId": to_hex(facts.program_id),
        "class": facts.assurance,
        "originalHash": to_hex(facts.original_hash),
        "rewrittenHash": to_hex(facts.rewritten_hash),
        "codeRoot": to_hex(facts.code_root),
        "initialMemoryRoot": to_hex(facts.initial_memory_root),
        "limitWU": str(facts.limit_wu),
        "memoryPages": facts.memory_pages,
        "frameBytes": facts.frame_bytes,
        "toolVersion": facts.tool_version,
    }


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise EncodingInvalid(f"{what} is not an object")
    return value


def _address(value: object, name: str) -> str:
    return checksum_address(to_hex(from_hex(value, 20, name)))
