"""What a verifier has to replay of an epoch, and what its replays say. Blobs and draws in, verdicts out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chain.calls import Head, LeafRef
from protocol.epoch_data import EpochData, NumberedLeaf, PostedEntry, check_entry, check_leaf
from protocol.errors import ProtocolError
from protocol.hashing import keccak256
from protocol.merkle import ReceiptTree
from protocol.messages import Domain
from protocol.sampling import Seat, drawn_tasks, seats_of_leaf
from protocol.verdicts import Verdict, Verdicts, state_digest
from verifier.blobs import Blobs
from verifier.db import Replay
from verifier.errors import BlobUnavailable, EvidenceInvalid
from verifier.state import Audit

_NO_DIGEST = bytes(32)


@dataclass(frozen=True)
class LeafEvidence:
    """A leaf that is backed by its data: its place, its hash, and its path."""

    place: NumberedLeaf
    leaf_hash: bytes
    tree: ReceiptTree
    epoch_id: int
    head: Head

    @property
    def number(self) -> int:
        """The leaf's number in the epoch."""
        return self.place.number

    @property
    def device(self) -> str:
        """The device that signed the receipt."""
        return self.place.leaf.receipt.device

    def faults(self) -> dict[int, str]:
        """Positions whose result no run can give."""
        return self.place.leaf.faults(self.place.entry.bid)

    def reference(self) -> LeafRef:
        """The leaf as the contracts want it named."""
        index = self.place.leaf_index
        path = self.tree.proof(index)
        return LeafRef(
            self.epoch_id,
            self.head,
            self.place.entry_index,
            index,
            self.place.leaf.receipt,
            self.tree.leaf(index).sums[0],
            tuple(node.hash for node in path),
            tuple(node.sums[0] for node in path),
        )


@dataclass(frozen=True)
class Evidence:
    """An epoch's data as far as it leads to what was posted.

    `missing` are the numbers of the leaves that nothing backs: the store withholds their data, or serves other data
    than was posted. `withheld`: the store gave nothing at all, and may still do.
    """

    epoch_id: int
    head: Head
    leaves: Mapping[int, LeafEvidence]
    missing: frozenset[int]
    withheld: bool = False


def gather(blobs: Blobs, epoch_id: int, head: Head, fees_ppm: Mapping[bytes, int], domain: Domain) -> Evidence:
    """Fetches and checks an epoch's data; `fees_ppm` by job. What cannot be had or checked is `missing`."""
    count = sum(entry.count for entry in head.entries)
    try:
        data = EpochData.parse(blobs.get(head.data_id))
        if len(data.entries) != len(head.entries):
            raise EvidenceInvalid("the data has other entries than were posted")
    except (BlobUnavailable, EvidenceInvalid, ProtocolError) as error:
        return Evidence(epoch_id, head, {}, frozenset(range(count)), isinstance(error, BlobUnavailable))
    trees = [_tree_of(data, index, head, fees_ppm) for index in range(len(head.entries))]
    leaves = {}
    for place in data.leaves():
        tree = trees[place.entry_index]
        if tree is not None and _is_backed(place, domain):
            leaves[place.number] = LeafEvidence(place, tree.leaf(place.leaf_index).hash, tree, epoch_id, head)
    return Evidence(epoch_id, head, leaves, frozenset(range(count)) - leaves.keys())


def _tree_of(data: EpochData, index: int, head: Head, fees_ppm: Mapping[bytes, int]) -> ReceiptTree | None:
    entry, posted = data.entries[index], head.entries[index]
    fee_ppm = fees_ppm.get(posted.job_id, 0)
    try:
        check_entry(entry, fee_ppm, PostedEntry(posted.job_id, posted.subroot, posted.count, posted.sum))
    except ProtocolError:
        return None
    return entry.receipt_tree(fee_ppm)


def _is_backed(place: NumberedLeaf, domain: Domain) -> bool:
    try:
        check_leaf(place.entry.bid, place.leaf, domain)
    except ProtocolError:
        return False
    return True


@dataclass(frozen=True)
class DeviceFacts:
    """What the chain says of a device: its owner, and its stake in wei at the block of the posting."""

    owner: str
    stake: int


@dataclass(frozen=True)
class Duties:
    """What one verifier has to judge: of each leaf the positions to replay; leaves that it can judge without a run."""

    draws: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    faults: Mapping[int, int] = field(default_factory=dict)
    unavailable: frozenset[int] = frozenset()

    @property
    def pairs(self) -> Iterable[tuple[int, int]]:
        """(leaf number, position) of every replay."""
        return ((leaf, position) for leaf, positions in self.draws.items() for position in positions)


def duties_of_epoch(
    evidence: Evidence, seed: bytes, seats: Sequence[Seat], me: str, devices: Mapping[str, DeviceFacts]
) -> Duties:
    """The leaves that the seed gave to seats of `me`. Leaves without data are everybody's: nobody can tell whose."""
    draws: dict[int, tuple[int, ...]] = {}
    faults: dict[int, int] = {}
    for leaf in evidence.leaves.values():
        drawn = seats_of_leaf(seed, leaf.leaf_hash, seats, devices[leaf.device].owner)
        if me in (seats[index].verifier for index in drawn):
            _add_leaf(leaf, seed, devices, draws, faults)
    return Duties(draws, faults, evidence.missing)


def duties_of_redraw(evidence: Evidence, leaf_number: int, seed: bytes, devices: Mapping[str, DeviceFacts]) -> Duties:
    """The draw of one leaf, for whoever is drawn to look at it again."""
    if leaf_number in evidence.missing:
        return Duties(unavailable=frozenset({leaf_number}))
    draws: dict[int, tuple[int, ...]] = {}
    faults: dict[int, int] = {}
    _add_leaf(evidence.leaves[leaf_number], seed, devices, draws, faults)
    return Duties(draws, faults)


def duties_of_panel(evidence: Evidence, leaf_number: int, task: int) -> Duties:
    """The one task (a position in the receipt) that a challenge accuses."""
    if leaf_number in evidence.missing:
        return Duties(unavailable=frozenset({leaf_number}))
    if task in evidence.leaves[leaf_number].faults():
        return Duties(faults={leaf_number: task})
    return Duties({leaf_number: (task,)})


def _add_leaf(
    leaf: LeafEvidence,
    seed: bytes,
    devices: Mapping[str, DeviceFacts],
    draws: dict[int, tuple[int, ...]],
    faults: dict[int, int],
) -> None:
    wrong = leaf.faults()
    if wrong:
        faults[leaf.number] = min(wrong)
        return
    data, bid = leaf.place.leaf, leaf.place.entry.bid
    draws[leaf.number] = drawn_tasks(seed, data.receipt, data.wus, devices[leaf.device].stake, bid.rate_floor_ppm)


def conclude(duties: Duties, replays: Sequence[Replay]) -> Audit | None:
    """The verdicts once every replay is there, else None."""
    found: dict[int, dict[int, Replay]] = {leaf: {} for leaf in duties.draws}
    for replay in replays:
        if replay.leaf_number in found:
            found[replay.leaf_number][replay.position] = replay
    if any(position not in found[leaf] for leaf, position in duties.pairs):
        return None
    verdicts: dict[int, tuple[Verdict, bytes]] = {}
    wrong = dict(duties.faults)
    for leaf, positions in duties.draws.items():
        verdicts[leaf] = _verdict_on([found[leaf][position] for position in positions])
        if verdicts[leaf][0] == Verdict.WRONG:
            wrong[leaf] = next(r.position for r in found[leaf].values() if r.verdict == Verdict.WRONG)
    verdicts |= dict.fromkeys(duties.faults, (Verdict.WRONG, _NO_DIGEST))
    verdicts |= dict.fromkeys(duties.unavailable, (Verdict.UNAVAILABLE, _NO_DIGEST))
    return Audit(Verdicts.of(verdicts), wrong)


def _verdict_on(replays: Sequence[Replay]) -> tuple[Verdict, bytes]:
    said = {replay.verdict for replay in replays}
    if Verdict.WRONG in said:
        return Verdict.WRONG, _NO_DIGEST
    if Verdict.UNAVAILABLE in said:
        return Verdict.UNAVAILABLE, _NO_DIGEST
    return Verdict.RIGHT, state_digest([replay.state_digest or _NO_DIGEST for replay in replays])


def vote_of(duties: Duties, replays: Sequence[Replay]) -> Verdict | None:
    """The vote of a ballot on one leaf once every replay is there, else None."""
    audit = conclude(duties, replays)
    if audit is None:
        return None
    return next(iter(audit.verdicts.by_leaf.values()))


def scope_of_epoch(head: Head, seed: bytes) -> bytes:
    """Names the audit of an epoch under a seed: after a reorg both may be others."""
    return keccak256(head.hash + seed)


def scope_of_ballot(head: Head, seed: bytes, subject: bytes) -> bytes:
    """Names the audit of a ballot."""
    return keccak256(head.hash + seed + subject)
