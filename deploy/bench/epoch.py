"""One epoch from openJob to the last claim, straight on the contracts.

Every signature, tree, draw and check is the protocol's own; only the results inside the trees are made up.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from chain.calls import ClaimedLeaves, Entry, Head, SeatVerdict
from chain.client import TxReceipt
from deploy.bench.ground import (
    PRICE_WEI_PER_GWU,
    PROGRAM,
    SETTLER_FEE_PPM,
    STAKE_TASKS,
    TASK_LIMIT_WU,
    TASK_WU,
    Device,
    Ground,
    P,
)
from protocol.claims import packed_leaf
from protocol.hashing import keccak256
from protocol.merkle import ReceiptTree, ResultTree, TaskResult, receipt_leaf
from protocol.messages import Bid, Receipt
from protocol.money import amount_of, debit_of
from protocol.sampling import Seat, drawn_tasks, seats_of_leaf
from protocol.spans import SpanSet
from protocol.verdicts import Verdict, Verdicts, epoch_salt, state_digest

RATE_FLOOR_PPM = 10_000
DAY_S = 86_400


@dataclass(frozen=True)
class Case:
    """How large an epoch is. Spans go to the devices in turn, as leases do, so no device's spans are neighbours."""

    tasks: int
    devices: int
    span_tasks: int

    def spans_of(self, device: int) -> range:
        """The spans of the device of this number."""
        return range(device, -(-self.tasks // self.span_tasks), self.devices)


@dataclass(frozen=True)
class Leaf:
    """A device's receipt with what a claim needs beside it."""

    device: Device
    spans: SpanSet
    wus: tuple[int, ...]
    receipt: Receipt
    signature: bytes

    @cached_property
    def debit(self) -> int:
        """The leaf's sum, wei."""
        return debit_of(self.receipt.amount, SETTLER_FEE_PPM, RATE_FLOOR_PPM)

    @cached_property
    def hash(self) -> bytes:
        """The leaf's hash."""
        return receipt_leaf(self.receipt, self.debit).hash


@dataclass(frozen=True)
class Posted:
    """An epoch of one job after its posting."""

    ground: Ground
    bid: Bid
    leaves: tuple[Leaf, ...]
    tree: ReceiptTree
    epoch: int
    head: Head


@dataclass(frozen=True)
class Played:
    """A settled epoch: its first and its last transaction, and the claim among them."""

    opened: TxReceipt
    claimed: TxReceipt


def play_epoch(ground: Ground, case: Case, number: int = 0) -> Played:
    """Opens a job of the case, settles all of it in one epoch with one claim. Raises ChainError.

    `number` tells the jobs of one ground apart.
    """
    bid = _bid(ground, case, number)
    signature = bid.sign(ground.client.deployment.domain, ground.buyer.key)
    opened = ground.send(ground.settler, "JobEscrow", "openJob", bid, signature)
    posted = _post(ground, bid, [_work(ground, bid, case, device) for device in range(case.devices)])
    verdicts = _attest(posted)
    ground.advance(ground.client.deployment.clocks["window"] + 1)
    arguments = (posted.epoch, posted.head, 0, bid, _claimed_leaves(posted), verdicts)
    return Played(opened, ground.send(ground.settler, "EpochLedger", "claim", *arguments))


def _bid(ground: Ground, case: Case, number: int) -> Bid:
    return Bid(
        buyer=ground.buyer.address,
        program_id=PROGRAM.program_id,
        inputs_root=keccak256(b"inputs"),
        manifest=keccak256(b"manifest"),
        task_count=case.tasks,
        span_tasks=case.span_tasks,
        task_limit_wu=TASK_LIMIT_WU,
        max_output_bytes=1 << 20,
        max_price_wei_per_gwu=PRICE_WEI_PER_GWU,
        budget=2 * case.tasks * P,
        rate_floor_ppm=RATE_FLOOR_PPM,
        min_stake=STAKE_TASKS * P,
        deadline=ground.now + DAY_S,
        settler=ground.settler.address,
        max_fee_ppm=30_000,
        salt=keccak256(b"job %d" % number),
    )


def _work(ground: Ground, bid: Bid, case: Case, number: int) -> Leaf:
    """What a device signs for its spans; its tasks cost half to one and a half times TASK_WU."""
    device, spans = ground.devices[number], SpanSet.of(case.spans_of(number))
    tasks, chance = spans.tasks(bid.task_count, bid.span_tasks), random.Random(number)
    wus = tuple(chance.randrange(TASK_WU // 2, TASK_WU + TASK_WU // 2) for _ in tasks)
    output = keccak256(b"output")
    results = [TaskResult(task, 32, output, wu, 0) for task, wu in zip(tasks, wus, strict=True)]
    tree = ResultTree(results)
    receipt = Receipt(
        job_id=bid.job_id,
        device=device.device.address,
        period=0,
        spans_hash=spans.hash,
        results_root=tree.root,
        count=len(tasks),
        total_wu=tree.total_wu,
        total_squared_wu=tree.total_squared_wu,
        amount=amount_of(tree.total_wu, PRICE_WEI_PER_GWU * 9 // 10),
        post_by=bid.deadline,
    )
    return Leaf(device, spans, wus, receipt, receipt.sign(ground.client.deployment.domain, device.device.key))


def _post(ground: Ground, bid: Bid, leaves: Sequence[Leaf]) -> Posted:
    tree = ReceiptTree([(leaf.receipt, leaf.debit) for leaf in leaves])
    entry = Entry(bid.job_id, tree.root, len(leaves), tree.sum)
    block = ground.send(ground.settler, "EpochLedger", "postEpoch", [entry], keccak256(b"data")).block_number
    (event,) = (event for event in ground.client.logs(block, block) if event.name == "Posted")
    return Posted(ground, bid, tuple(leaves), tree, event.args["epochId"], Head.of(event.args["head"]))


def _attest(posted: Posted) -> list[SeatVerdict]:
    """Seed, commitments and reveals of all verifiers, all honest; the verdicts of those that were drawn."""
    ground, epoch, client = posted.ground, posted.epoch, posted.ground.client
    delay_blocks = client.call("Attestations", "clockOf", epoch)["round"] - posted.head.post_block
    ground.chain.mine(delay_blocks + 1)
    ground.send(ground.settler, "Attestations", "drawSeed", epoch)
    seed, seats = client.call("Attestations", "seedOf", epoch), ground.seats(posted.head.snapshot)
    found = {verifier: _verdicts(posted, seed, seats, verifier.address) for verifier in ground.verifiers}
    for verifier, verdicts in found.items():
        commitment = verdicts.commitment(epoch_salt(verifier.key, epoch), verifier.address, epoch)
        ground.send(verifier, "Attestations", "commit", epoch, commitment)
    for verifier, verdicts in found.items():
        salt = epoch_salt(verifier.key, epoch)
        ground.send(verifier, "Attestations", "reveal", epoch, salt, verdicts.packed, verdicts.digests)
    return [
        SeatVerdict(v.address, verdicts.packed, verdicts.digests) for v, verdicts in found.items() if verdicts.packed
    ]


def _verdicts(posted: Posted, seed: bytes, seats: Sequence[Seat], verifier: str) -> Verdicts:
    """ "Right" for every leaf drawn for the verifier's seats, with a made-up digest of each drawn task's state."""
    found = {}
    for number, leaf in enumerate(posted.leaves):
        chosen = seats_of_leaf(seed, leaf.hash, seats, leaf.device.owner.address)
        if verifier not in {seats[index].verifier for index in chosen}:
            continue
        drawn = drawn_tasks(seed, leaf.receipt, leaf.wus, STAKE_TASKS * P, posted.bid.rate_floor_ppm)
        states = [keccak256(leaf.hash + k.to_bytes(4, "big")) for k in drawn]
        found[number] = Verdict.RIGHT, state_digest(states)
    return Verdicts.of(found)


def _claimed_leaves(posted: Posted) -> ClaimedLeaves:
    leaves = enumerate(posted.leaves)
    packed = {i: packed_leaf(i, leaf.receipt, leaf.spans, leaf.signature) for i, leaf in leaves}
    return ClaimedLeaves.of(posted.tree, packed)
