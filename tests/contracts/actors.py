"""Everybody who takes part in the market, so that a test reads like a story.

A `Device` works on spans of a job and signs a receipt; whether it lies is in its `Work`. A `SettlerActor` posts works
as an `Epoch`. A `VerifierActor` replays what is drawn for its seats and says what it finds, or what it is told to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import brownie

from protocol.claims import packed_leaf
from protocol.hashing import keccak256
from protocol.merkle import ReceiptTree, ResultTree, TaskResult, receipt_leaf
from protocol.messages import Bid, Binding, Lease, Receipt
from protocol.money import amount_of, debit_of
from protocol.sampling import Seat, drawn_tasks, seats_of_leaf
from protocol.spans import SpanSet
from protocol.verdicts import Verdict, Verdicts, ballot_commitment, epoch_salt, salt_of, state_digest
from tests.contracts.chain import Signer, advance, mine, now
from tests.contracts.conftest import struct
from tests.contracts.world import (
    CHALLENGE_BOND,
    PARAMETERS,
    PRICE_WEI_PER_GWU,
    SETTLER_BOND,
    TASK_LIMIT_WU,
    TASK_WU,
    P,
    World,
)

FEE_PPM = 20_000
FLOOR_PPM = 100_000


class Buyer:
    """Signs bids; an account of the node with a known key, since deposits count for their sender."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.signer = Signer(name)
        self.account = brownie.accounts.add(self.signer.key.hex())
        self.address = self.signer.address
        world.buyers.append(self.address)
        world.give_tokens(self.account, 10_000 * P)
        world.escrow.deposit(10_000 * P, {"from": self.account})
        self._salt = 0

    def open_job(self, settler: SettlerActor, **changes: Any) -> Job:
        """A job of 64 tasks in spans of 4, with what the test changes in its bid."""
        self._salt += 1
        fields: dict[str, Any] = {
            "buyer": self.address,
            "program_id": self.world.program_id,
            "inputs_root": b"\x04" * 32,
            "manifest": b"\x05" * 32,
            "task_count": 64,
            "span_tasks": 4,
            "task_limit_wu": TASK_LIMIT_WU,
            "max_output_bytes": 1 << 20,
            "max_price_wei_per_gwu": PRICE_WEI_PER_GWU,
            "budget": 200 * P,
            "rate_floor_ppm": FLOOR_PPM,
            "min_stake": 0,
            "deadline": now() + 100_000,
            "settler": settler.address,
            "max_fee_ppm": 30_000,
            "salt": self._salt.to_bytes(32, "big"),
        }
        bid = Bid(**{**fields, **changes})
        self.world.escrow.openJob(struct(bid), bid.sign(self.world.domain, self.signer.key), {"from": settler.account})
        self.world.jobs.append(bid.job_id)
        return Job(self.world, bid, settler)


@dataclass(frozen=True)
class Job:
    """An open job and its settler."""

    world: World
    bid: Bid
    settler: SettlerActor

    @property
    def id(self) -> bytes:
        """The job's id."""
        return self.bid.job_id

    @property
    def state(self) -> Any:
        """What the escrow records."""
        return self.world.escrow.jobOf(self.id)


@dataclass(frozen=True)
class Work:
    """A device's signed receipt with all behind it; `lies` are the positions whose results are wrong."""

    job: Job
    device: Device
    spans: SpanSet
    results: tuple[TaskResult, ...]
    receipt: Receipt
    signature: bytes
    lies: frozenset[int] = frozenset()
    leases: tuple[tuple[Lease, bytes], ...] = ()

    @property
    def tree(self) -> ResultTree:
        """The results' tree."""
        return ResultTree(self.results)

    @property
    def debit(self) -> int:
        """The leaf's sum."""
        return debit_of(self.receipt.amount, FEE_PPM, self.job.bid.rate_floor_ppm)

    def signed_again(self, **changes: Any) -> Work:
        """The same work with other fields in its receipt, signed by the device all the same."""
        receipt = replace(self.receipt, **changes)
        return replace(self, receipt=receipt, signature=self.device.sign(receipt))

    def result_proof(self, position: int) -> tuple[Any, ...]:
        """The contract's ResultProof of a task."""
        result, proof = self.results[position], self.tree.proof(position)
        siblings, sums = [node.hash for node in proof], [node.sums for node in proof]
        fields = (result.task_index, result.output_length, result.output_root, result.wu, result.status)
        return (*fields, siblings, sums)


class Device:
    """A device with its key, bound to its owner."""

    def __init__(self, world: World, name: str, stake: int, owner: Any = None) -> None:
        self.world = world
        self.signer = Signer(name)
        self.address = self.signer.address
        self.owner = owner or Signer(f"owner of {name}")
        binding = Binding(self.address, self.owner.address)
        signatures = [binding.sign(world.domain, who.key) for who in (self.signer, self.owner)]
        world.vault.bind(self.address, self.owner.address, *signatures, {"from": world.deployer})
        if stake:
            world.token.approve(world.vault, stake, {"from": world.deployer})
            world.vault.stake(self.address, stake, {"from": world.deployer})
        world.devices.append(self.address)

    @property
    def state(self) -> Any:
        """What the vault records."""
        return self.world.vault.deviceOf(self.address)

    @property
    def received(self) -> int:
        """What claims paid to the owner, wei."""
        return int(self.world.escrow.balanceOf(self.owner.address))

    def sign(self, receipt: Receipt) -> bytes:
        """The device's signature."""
        return receipt.sign(self.world.domain, self.signer.key)

    def work(
        self,
        job: Job,
        spans: Iterable[int],
        *,
        lies: Iterable[int] = (),
        wu: Mapping[int, int] | None = None,
        price: int = PRICE_WEI_PER_GWU,
        leased: bool = True,
        period: int | None = None,
    ) -> Work:
        """Does the tasks of these spans, `wu` at some positions other than TASK_WU, and lies at some."""
        span_set = SpanSet.of(spans)
        tasks = span_set.tasks(job.bid.task_count, job.bid.span_tasks)
        lying = frozenset(lies)
        results = tuple(
            TaskResult.of_output(task, b"a lie" if k in lying else b"output %d" % task, (wu or {}).get(k, TASK_WU))
            for k, task in enumerate(tasks)
        )
        tree = ResultTree(results)
        receipt = Receipt(
            job_id=job.id,
            device=self.address,
            period=int(job.state["period"]) if period is None else period,
            spans_hash=span_set.hash,
            results_root=tree.root,
            count=len(tasks),
            total_wu=tree.total_wu,
            total_squared_wu=tree.total_squared_wu,
            amount=amount_of(tree.total_wu, price),
            post_by=now() + 50_000,
        )
        leases = (job.settler.lease(job, self, span_set, price),) if leased else ()
        return Work(job, self, span_set, results, receipt, self.sign(receipt), lying, leases)


class SettlerActor:
    """A bonded settler: an account of the node with a known key."""

    def __init__(self, world: World, name: str, fee_ppm: int = FEE_PPM) -> None:
        self.world = world
        self.signer = Signer(name)
        self.account = brownie.accounts.add(self.signer.key.hex())
        self.address = self.signer.address
        world.give_tokens(self.account, SETTLER_BOND)
        world.seats.depositBond(SETTLER_BOND, fee_ppm, {"from": self.account})
        world.settlers.append(self)
        self._leases = 0

    @property
    def bond(self) -> int:
        """The bond, its locked part included, wei."""
        return int(self.world.seats.settlerOf(self.address)["bond"])

    @property
    def earned(self) -> int:
        """Fees credited, wei."""
        return int(self.world.escrow.balanceOf(self.address))

    def lease(self, job: Job, device: Device, spans: SpanSet, price: int) -> tuple[Lease, bytes]:
        """A signed lease."""
        self._leases += 1
        expiry = now() + 10_000
        lease = Lease(job.id, self._leases, spans.spans, device.address, price, expiry, expiry + 100_000)
        return lease, lease.sign(self.world.domain, self.signer.key)

    def post(self, *works: Work) -> Epoch:
        """Posts works, grouped by job in their order, as one epoch."""
        groups: dict[bytes, list[Work]] = {}
        for work in works:
            groups.setdefault(work.job.id, []).append(work)
        return self.post_groups(list(groups.values()))

    def post_groups(self, groups: Sequence[Sequence[Work]]) -> Epoch:
        """Posts one entry for each group, whatever is in it."""
        entries = []
        for group in groups:
            tree = ReceiptTree([(work.receipt, work.debit) for work in group])
            entries.append((group[0].job.id, tree.root, len(group), tree.sum))
        transaction = self.world.ledger.postEpoch(entries, b"\x0d" * 32, {"from": self.account})
        epoch = Epoch(self.world, self, [list(group) for group in groups], entries, transaction)
        self.world.epochs.append(epoch)
        return epoch


class Epoch:
    """A posted epoch and what is sent to the contracts about it."""

    def __init__(
        self, world: World, settler: SettlerActor, groups: list[list[Work]], entries: list[Any], transaction: Any
    ) -> None:
        self.world = world
        self.settler = settler
        self.groups = groups
        self.entries = entries
        self.id = int(transaction.events["Posted"]["epochId"])
        self.post_block = int(transaction.block_number)
        self.snapshot = int(transaction.events["EpochOpened"]["snapshot"])
        periods = [int(event["period"]) for event in transaction.events["JobDebited"]]
        stamps = (self.snapshot, int(transaction.timestamp), self.post_block)
        self.head = (settler.address, b"\x0d" * 32, *stamps, entries, periods)

    # --- leaves

    @property
    def indices(self) -> range:
        """Of the entries."""
        return range(len(self.entries))

    @property
    def works(self) -> list[Work]:
        """All leaves in posted order."""
        return [work for group in self.groups for work in group]

    def place(self, work: Work) -> tuple[int, int]:
        """Entry and index of a leaf."""
        for entry, group in enumerate(self.groups):
            if work in group:
                return entry, group.index(work)
        raise AssertionError("not in this epoch")

    def number(self, work: Work) -> int:
        """The leaf's number."""
        return self.works.index(work)

    def leaf_hash(self, work: Work) -> bytes:
        """The hash of a leaf."""
        return receipt_leaf(work.receipt, work.debit).hash

    def path(self, work: Work) -> tuple[list[bytes], list[int]]:
        """Siblings and their sums."""
        entry, index = self.place(work)
        proof = ReceiptTree([(other.receipt, other.debit) for other in self.groups[entry]]).proof(index)
        return [node.hash for node in proof], [node.sums[0] for node in proof]

    def ref(self, work: Work) -> tuple[Any, ...]:
        """The contract's LeafRef."""
        entry, index = self.place(work)
        return (self.id, self.head, entry, index, struct(work.receipt), work.debit, *self.path(work))

    def claimed_leaves(self, *works: Work) -> dict[str, Any]:
        """The contract's ClaimedLeaves, by field, of leaves of one entry in the order given."""
        places = [self.place(work) for work in works]
        tree = ReceiptTree([(other.receipt, other.debit) for other in self.groups[places[0][0]]])
        proof = tree.shared_proof(index for _, index in places)
        leaves = zip(places, works, strict=True)
        return {
            "packed": b"".join(packed_leaf(i, work.receipt, work.spans, work.signature) for (_, i), work in leaves),
            "siblings": [node.hash for node in proof],
            "siblingSums": [node.sums[0] for node in proof],
            "leases": [[(struct(lease), signature) for lease, signature in work.leases] for work in works],
        }

    # --- the draw

    @cached_property
    def seed(self) -> bytes:
        """The seed, once it was drawn."""
        return bytes(self.world.attestations.seedOf(self.id))

    @cached_property
    def seats(self) -> list[Seat]:
        """The seats of the epoch's snapshot, which nothing changes any more."""
        return self.world.seat_list(self.snapshot)

    @cached_property
    def randomness_round(self) -> int:
        """The beacon's round."""
        return int(self.world.attestations.clockOf(self.id)["round"])

    def seed_ahead(self) -> bytes:
        """The seed that the chain gives now, drawn or not."""
        randomness = bytes(self.world.beacon.randomness(self.randomness_round))
        return keccak256(randomness + self.id.to_bytes(32, "big"))

    def seats_of(self, work: Work, seed: bytes | None = None) -> list[str]:
        """Verifiers of the seats drawn for a leaf, by the Python rule."""
        chosen = seats_of_leaf(seed or self.seed, self.leaf_hash(work), self.seats, work.device.owner.address)
        return [self.seats[index].verifier for index in chosen]

    def drawn(self, work: Work, seed: bytes | None = None) -> tuple[int, ...]:
        """Positions of the leaf's replayed tasks, by the Python rule."""
        stake = int(self.world.vault.stakeAt(work.device.address, self.post_block))
        wus = [result.wu for result in work.results]
        return drawn_tasks(seed or self.seed, work.receipt, wus, stake, work.job.bid.rate_floor_ppm)

    # --- what seats say

    def all_say(self, work: Work, verdict: Verdict) -> Epoch:
        """Whoever is drawn says this of the leaf."""
        for verifier in self.world.verifiers:
            verifier.says(self, work, verdict)
        return self

    # --- phases

    def draw_seed(self, holds: Any = None) -> Epoch:
        """Lets the beacon's round come, with luck such that `holds(seed)`, and draws the seed."""
        if holds is None:
            mine(PARAMETERS.beacon_delay_blocks + 1)
        else:
            self.world.mine_until(lambda: holds(self.seed_ahead()))
        self.world.attestations.drawSeed(self.id, {"from": self.world.deployer})
        return self

    def attest(self, holds: Any = None, silent: Sequence[Any] = ()) -> Epoch:
        """Seed, commitments and reveals of all verifiers but the silent ones; then the window."""
        self.draw_seed(holds)
        acting = [verifier for verifier in self.world.verifiers if verifier not in silent]
        for verifier in acting:
            verifier.commit(self)
        if silent:
            advance(PARAMETERS.commit_s)
        for verifier in acting:
            verifier.reveal(self)
        if not acting:
            advance(PARAMETERS.reveal_s)
        return self

    def end_window(self) -> Epoch:
        """Lets the window pass."""
        advance(PARAMETERS.window_s)
        return self

    def verdicts(self, *works: Work) -> list[Any]:
        """The revealed verdicts of the verifiers drawn for these leaves (all leaves if none are given)."""
        wanted = {seat for work in works or self.works for seat in self.seats_of(work)}
        return [verifier.seat_verdict(self) for verifier in self.world.verifiers if verifier.has_revealed(self, wanted)]

    def claim(self, *works: Work, sender: Any = None) -> Any:
        """Claims leaves of one entry (all of the first if none are given)."""
        chosen = list(works) or self.groups[0]
        return self.claim_with(chosen, self.claimed_leaves(*chosen), sender=sender)

    def claim_with(self, works: Sequence[Work], leaves: Mapping[str, Any], sender: Any = None) -> Any:
        """Claims with these ClaimedLeaves, which may be forged."""
        entry, bid = self.place(works[0])[0], struct(works[0].job.bid)
        arguments = (self.id, self.head, entry, bid, tuple(leaves.values()), self.verdicts(*works))
        return self.world.ledger.claim(*arguments, {"from": sender or self.world.deployer})


@dataclass(eq=False)
class VerifierActor:
    """A verifier with its seats. `opinions` overrides what it finds, by leaf hash; `digest_salt` spoils its digests."""

    world: World
    name: str
    seats: int = 2
    opinions: dict[bytes, Verdict] = field(default_factory=dict)
    digest_salt: bytes = b""
    revealed: dict[int, Verdicts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signer = Signer(self.name)
        self.account = brownie.accounts.add(self.signer.key.hex())
        self.address = self.signer.address
        self.world.give_tokens(self.account, 2 * self.seats * PARAMETERS.seat_stake_wei)
        self.world.seats.join(self.seats, self.address, {"from": self.account})
        self.world.verifiers.append(self)

    @property
    def earned(self) -> int:
        """Credited for verification, wei."""
        return int(self.world.escrow.balanceOf(self.address))

    @property
    def stake(self) -> int:
        """Seats held now."""
        return int(self.world.seats.verifierOf(self.address)["seats"])

    # --- an epoch

    def says(self, epoch: Epoch, work: Work, verdict: Verdict) -> None:
        """Makes it say something of a leaf, drawn or not, whatever it finds."""
        self.opinions[epoch.leaf_hash(work)] = verdict

    def find(self, epoch: Epoch) -> Verdicts:
        """Its verdicts: honest ones on the leaves drawn for it, unless it has an opinion."""
        found: dict[int, tuple[Verdict, bytes]] = {}
        for number, work in enumerate(epoch.works):
            opinion = self.opinions.get(epoch.leaf_hash(work))
            if opinion is None and self.address in epoch.seats_of(work):
                caught = work.lies.intersection(epoch.drawn(work))
                opinion = Verdict.WRONG if caught else Verdict.RIGHT
            if opinion is not None:
                found[number] = (opinion, self._digest(epoch, work) if opinion == Verdict.RIGHT else bytes(32))
        return Verdicts.of(found)

    def commit(self, epoch: Epoch) -> None:
        """Commits to what it finds."""
        verdicts = self.find(epoch)
        self.revealed[epoch.id] = verdicts
        commitment = verdicts.commitment(self.salt(epoch), self.address, epoch.id)
        self.world.attestations.commit(epoch.id, commitment, {"from": self.account})

    def reveal(self, epoch: Epoch) -> None:
        """Opens its commitment."""
        verdicts = self.revealed[epoch.id]
        arguments = (epoch.id, self.salt(epoch), verdicts.packed, verdicts.digests)
        self.world.attestations.reveal(*arguments, {"from": self.account})

    def salt(self, epoch: Epoch) -> bytes:
        """Its salt for the epoch."""
        return epoch_salt(self.signer.key, epoch.id)

    def seat_verdict(self, epoch: Epoch) -> tuple[Any, ...]:
        """The contract's SeatVerdict."""
        verdicts = self.revealed[epoch.id]
        return (self.address, verdicts.packed, verdicts.digests)

    def has_revealed(self, epoch: Epoch, wanted: Iterable[str]) -> bool:
        """Whether it is one of `wanted` and revealed."""
        return (
            self.address in wanted and int(self.world.attestations.verdictHash(epoch.id, self.address).hex(), 16) != 0
        )

    # --- a ballot

    def commit_vote(self, subject: bytes, vote: Verdict, contract: Any, key: bytes | None = None) -> None:
        """Commits to a vote in a redraw (`attestations`) or in a panel (`panel`, under the game's id)."""
        commitment = ballot_commitment(salt_of(self.signer.key, subject), self.address, subject, vote)
        send = contract.commitVote if key else contract.commitBallot
        send(key or subject, commitment, {"from": self.account})

    def reveal_vote(self, subject: bytes, vote: Verdict, contract: Any, key: bytes | None = None) -> None:
        """Opens it."""
        send = contract.revealVote if key else contract.revealBallot
        send(key or subject, salt_of(self.signer.key, subject), int(vote), {"from": self.account})

    def _digest(self, epoch: Epoch, work: Work) -> bytes:
        return state_digest([keccak256(self.digest_salt + epoch.leaf_hash(work))])


class GameActor:
    """A challenge and its panel."""

    def __init__(
        self, epoch: Epoch, work: Work, task: int, opener: Any, *, value: int = CHALLENGE_BOND, verdicts: Any = None
    ) -> None:
        self.world = epoch.world
        self.epoch, self.work, self.task, self.opener = epoch, work, task, opener
        shown = epoch.verdicts(work) if verdicts is None else verdicts
        arguments = (epoch.ref(work), work.signature, task, shown)
        account = getattr(opener, "account", opener)
        transaction = self.world.panel.open(*arguments, {"from": account, "value": value})
        self.id = bytes(transaction.events["ChallengeOpened"]["gameId"])
        self.bonds = {account.address: value} if value else {}
        self.resolved = False
        self.world.games.append(self)

    @property
    def state(self) -> int:
        """The GameState's number."""
        return int(self.world.panel.stateOf(self.id))

    @property
    def subject(self) -> bytes:
        """Of the current ballot."""
        return bytes(self.world.panel.gameOf(self.id)["subject"])

    def panel(self) -> list[VerifierActor]:
        """The drawn verifiers, each once, once the beacon's round is there."""
        seats = [str(seat) for seat in self.world.panel.panelSeats(self.id)]
        return [verifier for verifier in self.world.verifiers if verifier.address in seats]

    def draw(self) -> GameActor:
        """Lets the beacon's round come."""
        mine(PARAMETERS.beacon_delay_blocks + 1)
        return self

    def vote(self, votes: Verdict | Mapping[str, Verdict]) -> GameActor:
        """All drawn verifiers vote: the same, or each its own."""
        chosen = {v: votes if isinstance(votes, Verdict) else votes[v.address] for v in self.panel()}
        for verifier, vote in chosen.items():
            verifier.commit_vote(self.subject, vote, self.world.panel, self.id)
        for verifier, vote in chosen.items():
            verifier.reveal_vote(self.subject, vote, self.world.panel, self.id)
        return self

    def appeal(self, account: Any) -> GameActor:
        """Appeals."""
        self.world.panel.appeal(self.id, {"from": account, "value": 2 * CHALLENGE_BOND})
        self.bonds[account.address] = self.bonds.get(account.address, 0) + 2 * CHALLENGE_BOND
        return self

    def resolve(self) -> Any:
        """Lets the appeal time pass and resolves."""
        advance(PARAMETERS.panel_appeal_s)
        return self.resolve_now()

    def resolve_now(self) -> Any:
        """Resolves."""
        transaction = self.world.panel.resolve(self.id, {"from": self.world.deployer})
        self.resolved = True
        return transaction
