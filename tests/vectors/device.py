"""Walks of the device's state machine: what `worker.state` answers to each event; `web/src/device` answers the same.

Seeded walks through legal and stale answers, honest and dishonest leases, lost sessions, moved periods and restarts
from the journal. Reasons are sentences for people and are left out.
"""

from dataclasses import replace
from random import Random
from typing import Any

from protocol.encoding import to_hex
from protocol.manifest import Manifest
from protocol.merkle import TaskResult
from protocol.messages import Bid, Lease
from protocol.program import ProgramFacts
from protocol.spans import SpanSet
from tests.vectors.samples import DEVICE, DOMAIN, SETTLER, bid_of, key_of, number_of, word_of
from worker import moves
from worker.facts import Fact, ReceiptSigned, fact_to_json, result_to_row
from worker.grants import Grant, LeaseKey, Network, ReceiptBase, Terms
from worker.state import Device, Phase
from worker.work import Work

START = 1_800_000_000
NETWORK = Network(DOMAIN, SETTLER, "https://market.example/v1/blobs")
PRICE = 10**9
TERMS = Terms(DEVICE, PRICE // 2, 16)
JITTER = 0.75
"""Of a back-off; Python's uniform(0.5, 1.0) and TypeScript's 0.5 + random() / 2 are stubbed to give it."""
WALKS, STEPS = 4, 90
SPANS, SPAN_TASKS = 12, 3
FACTS = ProgramFacts(1, *(word_of("device program", i) for i in range(4)), 10**9, 16, 65_536, 1)
COMMON = ("bid", "bidSignature", "program", "heartbeatSeconds")
"""Of every grant of a walk."""
TROUBLE = ("sessionLost", "unreachable")
ANSWERS: dict[type[moves.Step], tuple[str, ...]] = {
    moves.OpenSession: ("sessionOpened",) * 20 + TROUBLE,
    moves.Poll: ("leaseGiven",) * 20 + ("noLease", "paused", *TROUBLE),
    moves.Prepare: ("workReady",) * 20 + ("workRefused", *TROUBLE),
    moves.Execute: ("resultsComputed",) * 20 + ("deviceFailed",),
    moves.Submit: ("accepted",) * 18 + ("periodClosed", "periodClosed", "resultsRefused", "resultsRefused", *TROUBLE),
    moves.Wait: ("waited",),
}


class _Jitter(Random):
    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002
        return JITTER


class Walk:
    """One device with its journal, and a market that is mostly honest."""

    def __init__(self, number: int) -> None:
        self.random = Random(number)
        self.now = float(START)
        self.bid = _bid(number)
        self.facts: list[Fact] = []
        self.rows: list[dict[str, Any]] = []
        self.said: list[moves.Instruction] = []
        self.period = 0
        self.lease_id = 0
        self.held: dict[int, list[tuple[Grant, tuple[TaskResult, ...]]]] = {}
        self.grant_json = self._grant().to_json()
        self.restart()

    # --- the device

    def restart(self) -> None:
        """A new device on the journal so far."""
        self.device = Device(TERMS, _Jitter(), list(self.facts))
        self._tell({"is": "start"}, self.device.start(self.now))

    def _tell(self, event: dict[str, Any], said: list[moves.Instruction]) -> None:
        self.facts += [one.fact for one in said if isinstance(one, moves.Record)]
        if any(isinstance(one, moves.Step | moves.Stop) for one in said):
            self.said = said
        row = {"now": self.now, "event": event, "said": [_told(one) for one in said], "phase": self.device.phase.value}
        self.rows.append(row)

    @property
    def step(self) -> moves.Step | None:
        """What the device waits for."""
        return next((one for one in self.said if isinstance(one, moves.Step)), None)

    def go(self) -> None:
        """One event more."""
        self.now += self.random.choice((0.0, 1.0, 21.0, 400.0)) if self.random.random() < 0.15 else 0.3
        chance = self.random.random()
        if self.step is None or chance < 0.06:
            self.restart()
        elif chance < 0.09:
            self._beat()
        elif chance < (0.10 if self.device.phase is Phase.IDLE else 0.17):
            self._tell({"is": "shutdownAsked"}, self.device.handle(moves.ShutdownAsked(), self.now))
        else:
            self._answer(self.step, self.random.choice(ANSWERS[type(self.step)]))

    def _beat(self) -> None:
        holding = self.device.book.working_on
        key = holding.grant.key if holding else LeaseKey(bytes(32), 1)
        event = {"is": "heartbeatRefused", **_key(key), "code": "lease_fenced"}
        self._tell(event, self.device.handle(moves.HeartbeatRefused(key, "lease_fenced"), self.now))

    def _answer(self, step: moves.Step, name: str) -> None:
        ticket = step.ticket - (self.random.random() < 0.04)
        answer, fields = getattr(self, f"_{name}")(ticket, step)
        self._tell({"is": name, "ticket": ticket, **fields}, self.device.handle(answer, self.now))

    # --- answers, with their JSON

    def _sessionOpened(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        expires_at = self.now + self.random.choice((900, 900, 900, -1))
        fields = {"network": NETWORK.to_json(), "expiresAt": expires_at}
        return moves.SessionOpened(ticket, NETWORK, expires_at), fields

    def _sessionLost(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        return moves.SessionLost(ticket), {}

    def _unreachable(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        seconds = self.random.choice((0.0, 20.0))
        return moves.Unreachable(ticket, "gone", seconds), {"reason": "gone", "retryAfterS": seconds}

    def _noLease(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        return moves.NoLease(ticket), {}

    def _paused(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        return moves.Paused(ticket), {}

    def _leaseGiven(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        grant, told = self._offered()
        return moves.LeaseGiven(ticket, grant), {"grant": told}

    def _workReady(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        return moves.WorkReady(ticket, Work(self.bid, None, ())), {}  # type: ignore[arg-type]

    def _workRefused(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        return moves.WorkRefused(ticket, "no"), {"reason": "no"}

    def _resultsComputed(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        holding = self.device.book.working_on
        tasks = holding.grant.tasks if holding else ()
        shift = self.random.random() < 0.05
        results = tuple(_result(task + shift, self.random.random() < 0.03) for task in tasks)
        outputs = word_of("device outputs", self.lease_id)
        fields = {"results": [result_to_row(one) for one in results], "outputs": to_hex(outputs)}
        return moves.ResultsComputed(ticket, results, outputs), fields

    def _deviceFailed(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        return moves.DeviceFailed(ticket, "killed"), {"reason": "killed"}

    def _accepted(self, ticket: int, step: object) -> tuple[moves.Answer, dict[str, Any]]:
        self._sign(step)
        self._keep(step)
        if self.random.random() < 0.4:
            return moves.Accepted(ticket), {"grant": None}
        grant, told = self._offered()
        return moves.Accepted(ticket, grant), {"grant": told}

    def _periodClosed(self, ticket: int, step: object) -> tuple[moves.Answer, dict[str, Any]]:
        self._sign(step)
        self.period += self.random.choice((0, 1, 1, 1))
        return moves.PeriodClosed(ticket, self.period), {"period": self.period}

    def _resultsRefused(self, ticket: int, step: object) -> tuple[moves.Answer, dict[str, Any]]:
        self._sign(step)
        if self.random.random() < 0.5:
            self._keep(step)
        return moves.ResultsRefused(ticket, "no", "no"), {"code": "no", "reason": "no"}

    def _waited(self, ticket: int, _step: object) -> tuple[moves.Answer, dict[str, Any]]:
        return moves.Waited(ticket), {}

    # --- the market

    def _sign(self, step: object) -> None:
        """What the agent does with every submission before it is sent."""
        assert isinstance(step, moves.Submit)
        if self.device.book.holdings[step.key].signed == step.receipt:
            return
        fact = ReceiptSigned(step.key, step.receipt, bytes(65))
        self.device.book.apply(fact)
        self.facts.append(fact)
        self.rows.append({"signed": fact_to_json(fact)})

    def _keep(self, step: object) -> None:
        assert isinstance(step, moves.Submit)
        grant = self.device.book.holdings[step.key].grant
        self.held.setdefault(step.receipt.period, []).append((grant, step.results))

    def _offered(self) -> tuple[Grant, dict[str, Any]]:
        """A lease, now and then of a new period, and what its JSON does not share with the walk's others."""
        if self.random.random() < 0.1:
            self.period += 1
        grant = self._grant()
        return grant, {name: value for name, value in grant.to_json().items() if name not in COMMON}

    def _grant(self) -> Grant:
        self.lease_id += self.random.choice((0, 1, 1, 1, 1, 1, 1, 1))
        held = self.held.get(self.period, [])
        free = sorted(set(range(SPANS)) - {span for grant, _ in held for span in grant.lease.spans})
        count = min(len(free), self.random.choice((1, 2)))
        spans = self.random.sample(free, count) if count and self.random.random() < 0.95 else [SPANS - 1]
        life = self.random.choice((60, 60, 60, 500, -1))
        lease = Lease(
            job_id=self.bid.job_id,
            lease_id=self.lease_id,
            spans=tuple(spans),
            device=DEVICE,
            price_wei_per_gwu=PRICE if self.random.random() < 0.95 else PRICE // 4,
            expiry=int(self.now) + life,
            post_by=int(self.now) + life + 600,
        )
        signer = "settler" if self.random.random() < 0.95 else "owner"
        signature = lease.sign(DOMAIN, key_of(signer))
        base = self._base(held)
        return Grant(lease, signature, self.period, base, self.bid, bytes(65), FACTS, 3.0)

    def _base(self, held: list[tuple[Grant, tuple[TaskResult, ...]]]) -> ReceiptBase | None:
        if not held:
            return None
        results = [result for _, part in held for result in part]
        spans = SpanSet.of({span for grant, _ in held for span in grant.lease.spans})
        base = ReceiptBase(spans, len(results), sum(result.wu for result in results))
        return replace(base, total_wu=base.total_wu + 1) if self.random.random() < 0.05 else base


def _bid(number: int) -> Bid:
    manifest = Manifest.of([b""])
    return bid_of(
        program_id=FACTS.program_id,
        inputs_root=manifest.inputs_root,
        manifest=manifest.blob_id,
        task_count=SPANS * SPAN_TASKS - 1,
        span_tasks=SPAN_TASKS,
        task_limit_wu=10**6,
        max_price_wei_per_gwu=PRICE,
        deadline=START + 10**6,
        settler=SETTLER,
        salt=word_of("device walk", number),
    )


def _result(task: int, is_other: bool) -> TaskResult:
    wu = 1 + number_of("device wu", task, 10**6 - 1)
    return TaskResult.of_output(task, bytes([task, is_other]), wu)


def _key(key: LeaseKey) -> dict[str, str]:
    return {"jobId": to_hex(key.job_id), "leaseId": str(key.lease_id)}


def _told(one: moves.Instruction) -> dict[str, Any]:
    """An instruction without its reason; grants by their key alone."""
    name = "openSession" if isinstance(one, moves.OpenSession) else type(one).__name__.lower()
    told: dict[str, Any] = {"do": name} | ({"ticket": one.ticket} if isinstance(one, moves.Step) else {})
    match one:
        case moves.Record(fact):
            told["fact"] = fact_to_json(fact)
            if told["fact"].pop("grant", None):
                told["fact"] |= _key(fact.key)  # type: ignore[union-attr]
        case moves.Abort(key) | moves.Release(key):
            told |= _key(key)
        case moves.Forget(outputs):
            told["outputs"] = to_hex(outputs)
        case moves.Prepare(_, grant):
            told |= _key(grant.key)
        case moves.Submit(_, key, receipt, _, outputs, wants_next):
            told |= {**_key(key), "receipt": receipt.to_json(), "outputs": to_hex(outputs), "wantsNext": wants_next}
        case moves.Wait(_, seconds):
            told["seconds"] = seconds
    return told


def device() -> dict[str, Any]:
    """Walks of one device each: events with what follows from them."""
    walks = []
    for number in range(WALKS):
        walk = Walk(number)
        while len(walk.rows) < STEPS:
            walk.go()
        common = {name: walk.grant_json[name] for name in COMMON}
        walks.append({"grants": common, "rows": walk.rows})
    terms = {"device": DEVICE, "minPriceWeiPerGWU": str(TERMS.min_price_wei_per_gwu)}
    return {"terms": {**terms, "memoryPagesMax": TERMS.memory_pages_max, "spansMax": TERMS.spans_max}, "walks": walks}
