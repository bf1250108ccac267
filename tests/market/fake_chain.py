# ruff: noqa: ARG002 - the signatures are those of the gateway and of the contracts
"""A fake of the market's own chain gateway: calls queue up, `mine` carries them out as the contracts would."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from chain.calls import Head as PostedHead
from chain.codec import Event
from chain.deployment import Deployment
from market.settlement.gateway import (
    Apply,
    Call,
    DeviceFacts,
    EpochFacts,
    Head,
    JobFacts,
    Limits,
    Outcome,
    ProgramStanding,
)
from protocol.claims import unpacked_leaves
from protocol.hashing import keccak256
from protocol.money import leaf_money
from protocol.sampling import Seat

CONTRACTS = ("JobEscrow", "EpochLedger", "Attestations", "StakeVault", "Seats", "ProgramRegistry", "Panel")


def address(number: int) -> str:
    """A checksummed address that nobody has a key for."""
    from protocol.encoding import checksum_address

    return checksum_address("0x" + keccak256(bytes([number])).hex()[:40])


class FakeChain:
    """Everything in memory. Tests set `devices`, `phases`, `refused` and read `calls`."""

    def __init__(self, settler: str, now: Any, sessions: Any) -> None:
        self.sessions = sessions
        clocks = {"epoch_interval": 15, "lease": 10, "heartbeat": 3, "post_by_after_expiry": 120, "claim": 300}
        contracts = {name: address(i) for i, name in enumerate(CONTRACTS)}
        self.deployment = Deployment(31337, 1, contracts, clocks, {})
        self.settler = settler
        self.now = now
        self.calls: dict[tuple[str, str], Call] = {}
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.devices: dict[str, DeviceFacts] = {}
        self.jobs: dict[bytes, JobFacts] = {}
        self.bids: dict[bytes, Any] = {}
        self.programs: set[bytes] = set()
        self.phases: dict[int, str] = {}
        self.heads: dict[int, PostedHead] = {}
        self.refused: dict[str, str] = {}
        self.voided_leaves: dict[int, int] = {}
        self.seat_list = [Seat(address(100 + i), address(200 + i)) for i in range(9)]
        self.wallets: dict[str, tuple[bytes, bytes]] = {}
        self.asked_wallets = 0
        self.fresh: list[Event] = []
        self.gone: list[Event] = []
        self.block = 10
        self.fee_ppm = 10_000
        self.minimum_stake = 10**16

    # --- the gateway

    def sync(self, apply: Apply) -> None:
        fresh, self.fresh, gone, self.gone = self.fresh, [], self.gone, []
        if fresh or gone:
            with self.sessions.begin() as session:
                apply(session, fresh, gone)

    def pump(self) -> None:
        pass

    def enqueue(self, session: Session, call: Call) -> None:
        if (call.purpose, call.ident) not in self.calls:
            self.calls[call.purpose, call.ident] = call
            self.outcomes[call.purpose, call.ident] = Outcome("queued", None)

    def outcome(self, session: Session, purpose: str, ident: str) -> Outcome | None:
        return self.outcomes.get((purpose, ident))

    def retry(self, session: Session, call: Call) -> None:
        assert self.outcomes[call.purpose, call.ident].failed
        self.calls[call.purpose, call.ident] = call
        self.outcomes[call.purpose, call.ident] = Outcome("queued", None)

    def dry_run(self, call: Call) -> str | None:
        found = self.refused.get(call.function)
        return found(call) if callable(found) else found

    def indexed_block(self) -> int:
        """All of it is read at once here."""
        return self.head().number

    def head(self) -> Head:
        return Head(self.block, int(self.now()))

    def limits(self) -> Limits:
        return Limits(self.minimum_stake, self.fee_ppm, None)

    def device(self, device: str) -> DeviceFacts:
        return self.devices.get(device, DeviceFacts())

    def stake_at(self, device: str, block: int) -> int:
        return self.device(device).stake

    def is_valid_signature(self, signer: str, digest: bytes, signature: bytes) -> bool:
        self.asked_wallets += 1
        return self.wallets.get(signer) == (digest, signature)

    def job(self, job_id: bytes) -> JobFacts:
        return self.jobs.get(job_id, JobFacts())

    def program(self, program_id: bytes) -> ProgramStanding:
        return ProgramStanding(program_id in self.programs, False)

    def epoch(self, epoch_id: int) -> EpochFacts:
        final_at = int(self.now()) if self.phases[epoch_id] == "final" else None
        return EpochFacts(self.phases[epoch_id], final_at, self.voided_leaves.get(epoch_id, 0))

    def seats(self, snapshot: int) -> Sequence[Seat]:
        return self.seat_list

    # --- the contracts

    def queued(self, purpose: str) -> list[Call]:
        """Calls of a purpose that nobody mined yet."""
        return [c for key, c in self.calls.items() if c.purpose == purpose and self.outcomes[key].state == "queued"]

    def mine(self) -> list[Event]:
        """Carries out every queued call."""
        made: list[Event] = []
        for key, call in list(self.calls.items()):
            if self.outcomes[key].state == "queued":
                self.outcomes[key] = Outcome("mined", None)
                made += getattr(self, f"_{call.function}")(*call.args)
        return made

    def fail(self, purpose: str, error: str) -> None:
        """Every queued call of a purpose reverts."""
        for call in self.queued(purpose):
            self.outcomes[call.purpose, call.ident] = Outcome("failed", error)

    def emit(self, contract: str, name: str, **args: Any) -> Event:
        """An event in a block of its own."""
        self.block += 1
        event = Event(name, contract, args, self.block, keccak256(bytes([self.block % 256])), bytes(32), 0)
        self.fresh.append(event)
        return event

    def reorg(self, *events: Event) -> None:
        """Takes events away, newest first."""
        self.gone += sorted(events, key=lambda event: -event.block_number)

    def _bind(self, device: str, owner: str, *_: bytes) -> list[Event]:
        known = self.device(device)
        self.devices[device] = DeviceFacts(owner, known.stake, known.convicted)
        return [self.emit("StakeVault", "Bound", device=device, owner=owner)]

    def _register(self, facts: Any) -> list[Event]:
        self.programs.add(facts.program_id)
        return [self.emit("ProgramRegistry", "Registered", programId=facts.program_id, author=self.settler)]

    def _openJob(self, bid: Any, signature: bytes) -> list[Event]:
        self.bids[bid.job_id] = bid
        self.jobs[bid.job_id] = JobFacts("open", bid.span_count, 0, 0)
        args = {"jobId": bid.job_id, "buyer": bid.buyer, "settler": self.settler, "feePpm": self.fee_ppm}
        return [self.emit("JobEscrow", "JobOpened", **args)]

    def _postEpoch(self, entries: Any, data_id: bytes) -> list[Event]:
        epoch_id = len(self.heads) + 1
        periods = [self.periods(entry.job_id) for entry in entries]
        head = PostedHead(self.settler, data_id, 0, int(self.now()), self.block, entries, tuple(periods))
        self.heads[epoch_id], self.phases[epoch_id] = head, "posted"
        made = [
            self.emit("JobEscrow", "JobDebited", jobId=e.job_id, settler=self.settler, period=p, sum=e.sum)
            for e, p in zip(entries, periods, strict=True)
        ]
        value = {
            "settler": head.settler,
            "dataId": data_id,
            "snapshot": 0,
            "postedAt": head.posted_at,
            "postBlock": head.post_block,
            "entries": [{"jobId": e.job_id, "subroot": e.subroot, "count": e.count, "sum": e.sum} for e in entries],
            "periods": periods,
        }
        return [*made, self.emit("EpochLedger", "Posted", epochId=epoch_id, settler=self.settler, head=value)]

    def periods(self, job_id: bytes) -> int:
        """Postings of a job so far."""
        return sum(1 for head in self.heads.values() for entry in head.entries if entry.job_id == job_id)

    def _drawSeed(self, epoch_id: int) -> list[Event]:
        self.phases[epoch_id] = "seeded"
        return [self.emit("Attestations", "Seeded", epochId=epoch_id, seed=keccak256(bytes([epoch_id])))]

    def _claim(self, epoch_id: int, head: Any, entry: int, bid: Any, leaves: Any, verdicts: Any) -> list[Event]:
        made = []
        for leaf in unpacked_leaves(bid.job_id, leaves.packed):
            stake = self.device(leaf.receipt.device).stake
            money = leaf_money(leaf.receipt, bid, self.fee_ppm, stake, stake)
            fields = {n: getattr(money, n) for n in ("amount", "fee", "deduction", "surcharge", "paid", "bonded")}
            job = self.jobs[bid.job_id]
            spans = sum(word.bit_count() for word in leaf.spans.words)
            self.jobs[bid.job_id] = JobFacts(job.phase, job.spans_unpaid - spans, job.closes_at, 0)
            made.append(self._leaf_event("Claimed", epoch_id, leaf.receipt, money=fields))
        return made

    def _voidLeaf(self, leaf: Any) -> list[Event]:
        return [self._leaf_event("LeafVoided", leaf.epoch_id, leaf.receipt, debit=leaf.debit)]

    def _leaf_event(self, name: str, epoch_id: int, receipt: Any, **more: Any) -> Event:
        args = {"epochId": epoch_id, "jobId": receipt.job_id, "device": receipt.device}
        return self.emit("EpochLedger", name, **args, receiptDigest=receipt.struct_hash, **more)

    def _voidEpoch(self, epoch_id: int, head: Any) -> list[Event]:
        return [self.emit("EpochLedger", "EpochVoided", epochId=epoch_id)]

    def _returnUnclaimed(self, epoch_id: int, head: Any, entry: int) -> list[Event]:
        job_id = head.entries[entry].job_id
        return [self.emit("EpochLedger", "Returned", epochId=epoch_id, jobId=job_id, amount=1)]

    def _redraw(self, leaf: Any, verdicts: Any) -> list[Event]:
        from protocol.merkle import receipt_leaf

        leaf_hash = receipt_leaf(leaf.receipt, leaf.debit).hash
        args = {"epochId": leaf.epoch_id, "leafHash": leaf_hash, "subject": bytes(32), "round": 1}
        return [self.emit("Attestations", "RedrawOpened", **args, beaconRound=1, leafNumber=0)]

    def _settleRedraw(self, leaf: Any) -> list[Event]:
        from protocol.merkle import receipt_leaf

        leaf_hash = receipt_leaf(leaf.receipt, leaf.debit).hash
        args = {"epochId": leaf.epoch_id, "leafHash": leaf_hash, "subject": bytes(32), "outcome": 1}
        return [self.emit("Attestations", "RedrawSettled", **args)]

    def _closeJob(self, job_id: bytes, bid: Any) -> list[Event]:
        job = self.jobs[job_id]
        if job.phase == "open" and job.spans_unpaid:
            self.jobs[job_id] = JobFacts("closing", job.spans_unpaid, int(self.now()) + 30, 0)
            return [self.emit("JobEscrow", "JobClosing", jobId=job_id, closesAt=int(self.now()) + 30)]
        self.jobs[job_id] = JobFacts("closed", job.spans_unpaid, 0, 0)
        return [self.emit("JobEscrow", "JobClosed", jobId=job_id, refunded=5)]
