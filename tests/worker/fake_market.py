"""A market of our own interface, in memory: strict about receipts, and able to fail in any call as it is told."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any

from programs.catalogue import CATALOGUE
from protocol.blobs import blob_id
from protocol.manifest import Manifest
from protocol.merkle import ResultTree, TaskResult
from protocol.messages import Bid, Binding, Domain, Lease, Receipt, Session
from protocol.money import amount_of
from protocol.output_blob import check_outputs, decode_outputs
from protocol.signing import address_of
from protocol.spans import SpanSet
from protocol.wasm import Program
from worker.errors import LeaseRefused, MarketRefused
from worker.grants import Grant, LeaseKey, Network, ReceiptBase
from worker.market_client import Submission
from worker.work import Task, Work

SETTLER, BUYER, DEVICE, OTHER = (bytes([n]) * 32 for n in (1, 2, 3, 4))
DOMAIN = Domain(31337, "0x" + "11" * 20)
NETWORK = Network(DOMAIN, address_of(SETTLER), "https://market.example/v1/blobs")
START = 1_000_000.0
LEASE_S, POST_BY_S = 60, 120
HEARTBEAT_S = 3.0
PRICE = 10**9


@cache
def digits() -> Program:
    """The committed example program."""
    return CATALOGUE["digits"].build()


def inputs_of(count: int, seed: int = 7) -> list[bytes]:
    """Images of 64 pixels from 0 to 16."""
    rng = Random(seed)
    return [bytes(rng.randrange(17) for _ in range(64)) for _ in range(count)]


def digits_work(count: int = 6) -> Work:
    """The first tasks of a job for the digits program."""
    inputs = inputs_of(count)
    return Work(make_bid(inputs), digits(), tuple(Task(index, data) for index, data in enumerate(inputs)))


class Clock:
    """A clock that moves when told, and a sleep that moves it, but for the pauses between heartbeats, which run beside
    everything else."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += 0 if seconds == HEARTBEAT_S else seconds
        await asyncio.sleep(0.001)


def make_bid(inputs: Sequence[bytes], **changes: Any) -> Bid:
    """A bid over these inputs for the digits program, one span of four tasks after another."""
    manifest = Manifest.of(inputs)
    fields: dict[str, Any] = {
        "buyer": address_of(BUYER),
        "program_id": digits().program_id,
        "inputs_root": manifest.inputs_root,
        "manifest": manifest.blob_id,
        "task_count": len(inputs),
        "span_tasks": 4,
        "task_limit_wu": 1_000_000,
        "max_output_bytes": 64,
        "max_price_wei_per_gwu": PRICE,
        "budget": 10**18,
        "rate_floor_ppm": 10_000,
        "min_stake": 0,
        "deadline": int(START) + 10_000,
        "settler": address_of(SETTLER),
        "max_fee_ppm": 0,
        "salt": bytes(32),
    }
    return Bid(**fields | changes)


def make_grant(bid: Bid, lease_id: int = 1, spans: Sequence[int] = (0,), period: int = 0, **changes: Any) -> Grant:
    """A lease of the bid as an honest market hands it out at START; `changes` go to the lease before it is signed."""
    fields: dict[str, Any] = {
        "job_id": bid.job_id,
        "lease_id": lease_id,
        "spans": tuple(spans),
        "device": address_of(DEVICE),
        "price_wei_per_gwu": PRICE,
        "expiry": int(START) + LEASE_S,
        "post_by": int(START) + POST_BY_S,
    }
    lease = Lease(**fields | changes)
    return Grant(
        lease, lease.sign(DOMAIN, SETTLER), period, None, bid, bid.sign(DOMAIN, BUYER), digits().facts, HEARTBEAT_S
    )


def results_of(grant: Grant, wu: int = 1_000) -> tuple[TaskResult, ...]:
    """Results of a lease's tasks, each output a byte."""
    return tuple(TaskResult.of_output(task, bytes([task % 256]), wu + task) for task in grant.tasks)


@dataclass
class Book:
    """What the market holds of the device in one period."""

    spans: set[int] = field(default_factory=set)
    results: dict[int, TaskResult] = field(default_factory=dict)
    post_by: int = 2**40 - 1


class FakeMarket:
    """One job, one device. `faults[method]` is a list of what its next calls do instead: an exception, or a callable.

    A callable is run before the call, one in `after` when its effect is there already: what it raises is the answer.
    `pairs` says whether the answer to a submission brings the next lease.
    """

    def __init__(self, clock: Clock, tasks: int = 10, spans_per_lease: int = 1, **bid: Any) -> None:
        self.clock = clock
        self.inputs = inputs_of(tasks)
        self.bid = make_bid(self.inputs, **bid)
        manifest = Manifest.of(self.inputs).blob
        self.blobs = {blob_id(data): data for data in (manifest, CATALOGUE["digits"].module.read_bytes())}
        self.spans_per_lease = spans_per_lease
        self.open = list(range(self.bid.span_count))
        self.period = 0
        self.books: defaultdict[int, Book] = defaultdict(Book)
        self.live: Grant | None = None
        self.lease_ids = 0
        self.done: dict[LeaseKey, tuple[TaskResult, ...]] = {}
        self.receipts: list[Receipt] = []
        self.released: list[LeaseKey] = []
        self.sessions = 0
        self.heartbeats = 0
        self.faults: defaultdict[str, list[Exception | Callable[[], None]]] = defaultdict(list)
        self.after: defaultdict[str, list[Exception | Callable[[], None]]] = defaultdict(list)
        self.tamper: Callable[[Grant], Grant] = lambda grant: grant
        self.idle = asyncio.Event()
        self.bound: list[Binding] = []
        self.pairs = True

    # --- what a test does to it

    def post(self) -> None:
        """Posts an epoch: the period is over."""
        self.period += 1

    def lose_lease(self) -> None:
        """The live lease runs out."""
        assert self.live
        self.open = sorted({*self.open, *self.live.lease.spans})
        self.live = None

    @property
    def accepted_spans(self) -> list[int]:
        """All spans accepted, in any period, with repetitions."""
        return sorted(span for book in self.books.values() for span in book.spans)

    # --- MarketApi

    async def network(self) -> Network:
        self._fault("network")
        return NETWORK

    async def open_session(self, session: Session, signature: bytes) -> float:
        self._fault("open_session")
        session.check_signature(DOMAIN, signature, address_of(DEVICE))
        self.sessions += 1
        return self.clock.now + 900

    async def bind(self, binding: Binding, device_signature: bytes, owner_signature: bytes) -> None:
        binding.check_signature(DOMAIN, device_signature, binding.device)
        binding.check_signature(DOMAIN, owner_signature, binding.owner)
        self.bound.append(binding)

    async def put_offer(self, offer: Mapping[str, Any]) -> None:  # noqa: ARG002
        self._fault("put_offer")

    async def next_lease(self, wait_s: int) -> Grant | None:  # noqa: ARG002
        self._fault("next_lease")
        if self.live is None:
            if not self.open:
                self.idle.set()
                await asyncio.sleep(3600)
                return None
            spans, self.open = self.open[: self.spans_per_lease], self.open[self.spans_per_lease :]
            self.lease_ids += 1
            now = int(self.clock.now)
            times = {"expiry": now + LEASE_S, "post_by": now + POST_BY_S}
            self.live = make_grant(self.bid, self.lease_ids, spans, self.period, **times)
        self._answered("next_lease")
        return self.tamper(replace(self.live, period=self.period, base=self._base()))

    async def heartbeat(self, key: LeaseKey) -> None:
        self._fault("heartbeat")
        self.heartbeats += 1
        self._check_live(key)

    async def release(self, key: LeaseKey) -> None:
        self._fault("release")
        self.released.append(key)
        if self.live and self.live.key == key:
            self.lose_lease()

    async def submit(self, key: LeaseKey, work: Submission, *, wants_next: bool = False) -> Grant | None:
        self._fault("submit")
        receipt = work.receipt
        receipt.check_signature(DOMAIN, work.signature, address_of(DEVICE))
        self.receipts.append(receipt)
        if key in self.done:
            assert self.done[key] == work.results, "a lease's results have changed"
        else:
            grant = self._check_live(key)
            if receipt.period != self.period:
                raise MarketRefused(409, "period_closed", "posted", self.period)
            if work.blob is not None:
                assert blob_id(work.blob) == work.outputs
                self.blobs[work.outputs] = work.blob
            self._check_receipt(grant, work.results, work.outputs, receipt)
            book = self.books[self.period]
            book.spans |= set(grant.lease.spans)
            book.results |= {result.task_index: result for result in work.results}
            book.post_by = min(book.post_by, grant.lease.post_by)
            self.done[key] = work.results
            self.live = None
        given = await self.next_lease(0) if wants_next and self.pairs and (self.live or self.open) else None
        self._answered("submit")
        return given

    async def get_blob(self, name: bytes, limit_bytes: int) -> bytes:
        self._fault("get_blob")
        if name not in self.blobs or len(self.blobs[name]) > limit_bytes:
            raise LeaseRefused("no such blob")
        return self.blobs[name]

    async def put_blob(self, blob: bytes) -> None:
        self._fault("put_blob")
        self.blobs[blob_id(blob)] = blob

    async def aclose(self) -> None:
        pass

    # --- inside

    def _base(self) -> ReceiptBase | None:
        book = self.books[self.period]
        if not book.spans:
            return None
        return ReceiptBase(
            SpanSet.of(book.spans), len(book.results), sum(result.wu for result in book.results.values())
        )

    def _check_live(self, key: LeaseKey) -> Grant:
        if self.live is None or self.live.key != key:
            raise MarketRefused(409, "lease_fenced", "the spans went to a later lease")
        if self.live.lease.expiry <= self.clock.now:
            raise MarketRefused(409, "lease_expired", "too late")
        return self.live

    def _check_receipt(self, grant: Grant, results: Sequence[TaskResult], outputs: bytes, receipt: Receipt) -> None:
        book = self.books[self.period]
        assert tuple(result.task_index for result in results) == grant.tasks
        check_outputs(results, decode_outputs(self.blobs[outputs], len(results), self.bid.max_output_bytes))
        rows = book.results | {result.task_index: result for result in results}
        tree = ResultTree([rows[task] for task in sorted(rows)])
        post_by = min(book.post_by, grant.lease.post_by)
        expected = Receipt(
            self.bid.job_id,
            grant.lease.device,
            self.period,
            SpanSet.of(book.spans | set(grant.lease.spans)).hash,
            tree.root,
            len(rows),
            tree.total_wu,
            tree.total_squared_wu,
            amount_of(tree.total_wu, grant.lease.price_wei_per_gwu),
            post_by,
        )
        if receipt != expected:
            raise MarketRefused(422, "receipt_invalid", f"{receipt} is not {expected}")
        assert post_by > self.clock.now, "signed after its postBy"

    def _fault(self, method: str) -> None:
        _do(self.faults[method])

    def _answered(self, method: str) -> None:
        _do(self.after[method])


def _do(script: list[Exception | Callable[[], None]]) -> None:
    if script:
        action = script.pop(0)
        if isinstance(action, Exception):
            raise action
        action()
