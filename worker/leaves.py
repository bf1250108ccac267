"""The leaves of some devices in the posted epochs that are not over: from the chain's events and the epochs' data."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from chain.calls import ClaimedLeaves, Head, SeatVerdict, SignedLease
from chain.client import BlockRef, ChainClient
from chain.codec import Event
from chain.errors import ContractReverted
from protocol.claims import packed_leaf
from protocol.epoch_data import EPOCH_DATA_BYTES_MAX, EpochData, NumberedLeaf, PostedEntry, check_entry
from protocol.errors import ProtocolError
from protocol.merkle import ReceiptTree, receipt_leaf
from protocol.money import LeafMoney, leaf_money
from worker.errors import MarketUnreachable

GetBlob = Callable[[bytes, int], bytes]


class EpochState(IntEnum):
    """IAttestations.EpochState; the ones that decide whether a leaf can be claimed."""

    FINAL = 6
    VOID = 7


@dataclass(frozen=True)
class Leaf:
    """A posted leaf that is neither claimed nor voided. `state` is the epoch's, `money` what a claim now would pay."""

    epoch_id: int
    state: int
    posted_tx: bytes
    head: Head
    place: NumberedLeaf
    tree: ReceiptTree
    job_settler: str
    money: LeafMoney

    @property
    def device(self) -> str:
        """Whose receipt it is."""
        return self.place.leaf.receipt.device

    @property
    def hash(self) -> bytes:
        """The leaf's hash."""
        return receipt_leaf(self.place.leaf.receipt, self.money.debit).hash

    @property
    def is_final(self) -> bool:
        """Whether its epoch is."""
        return self.state == EpochState.FINAL

    def packed(self) -> bytes:
        """The leaf as a claim packs it."""
        data = self.place.leaf
        return packed_leaf(self.place.leaf_index, data.receipt, data.spans, data.signature)

    @property
    def leases(self) -> tuple[SignedLease, ...]:
        """The settler's leases of its spans."""
        return tuple(SignedLease(lease, signature) for lease, signature in self.place.leaf.leases)


@dataclass(frozen=True)
class Posted:
    """What was found: leaves, and for epochs whose data could not be read, why."""

    leaves: tuple[Leaf, ...]
    unread: Mapping[int, str]


def find_leaves(
    client: ChainClient, events: Iterable[Event], devices: Collection[str], get_blob: GetBlob, block: BlockRef
) -> Posted:
    """Unsettled leaves of these devices at a block, whose chain has these events in order. Raises ChainError."""
    log = _Log(events)
    leaves: list[Leaf] = []
    unread: dict[int, str] = {}
    for event in log.posted:
        epoch_id = int(event.args["epochId"])
        if epoch_id in log.over:
            continue
        state = int(client.call("Attestations", "stateOf", epoch_id, block=block.hash))
        if state == EpochState.VOID:
            continue
        try:
            data = EpochData.parse(get_blob(event.args["head"]["dataId"], EPOCH_DATA_BYTES_MAX))
            leaves += _leaves_of(client, log, event, state, data, devices, block)
        except (MarketUnreachable, ProtocolError) as error:
            unread[epoch_id] = error.reason
    return Posted(tuple(leaves), unread)


class _Log:
    """The events that matter, indexed."""

    def __init__(self, events: Iterable[Event]) -> None:
        found = list(events)
        self.posted = [event for event in found if event.name == "Posted"]
        self.over = {int(e.args["epochId"]) for e in found if e.name in ("EpochVoided", "EpochFinished")}
        self.jobs = {event.args["jobId"]: event for event in found if event.name == "JobOpened"}
        settled = [event for event in found if event.name in ("Claimed", "LeafVoided")]
        self.settled = {(int(e.args["epochId"]), e.args["jobId"], e.args["receiptDigest"]) for e in settled}
        self.returned = {(int(e.args["epochId"]), e.args["jobId"]) for e in found if e.name == "Returned"}


def _leaves_of(
    client: ChainClient,
    log: _Log,
    posted: Event,
    state: int,
    data: EpochData,
    devices: Collection[str],
    block: BlockRef,
) -> list[Leaf]:
    head, epoch_id = Head.of(posted.args["head"]), int(posted.args["epochId"])
    found = []
    for place in data.leaves():
        receipt, job_id = place.leaf.receipt, place.entry.bid.job_id
        settled = (epoch_id, job_id, receipt.struct_hash) in log.settled or (epoch_id, job_id) in log.returned
        if receipt.device not in devices or settled:
            continue
        job = log.jobs[job_id].args
        tree = _checked_tree(place, head, job["feePpm"])
        stakes = _stakes(client, receipt.device, head.post_block, block)
        money = leaf_money(receipt, place.entry.bid, job["feePpm"], *stakes)
        found.append(Leaf(epoch_id, state, posted.tx_hash, head, place, tree, job["settler"], money))
    return found


def _stakes(client: ChainClient, device: str, post_block: int, block: BlockRef) -> tuple[int, int]:
    """What counted at the posting, and what the device has now. The vault tells of blocks that are over only."""
    now = int(client.call("StakeVault", "deviceOf", device, block=block.hash)["stake"])
    if post_block < block.number:
        return int(client.call("StakeVault", "stakeAt", device, post_block, block=block.hash)), now
    return now if now >= int(client.call("StakeVault", "minimumStake", block=block.hash)) else 0, now


def _checked_tree(place: NumberedLeaf, head: Head, fee_ppm: int) -> ReceiptTree:
    """The entry's tree. EpochDataInvalid if the data is not what was posted."""
    entry = head.entries[place.entry_index]
    check_entry(place.entry, fee_ppm, PostedEntry(entry.job_id, entry.subroot, entry.count, entry.sum))
    return place.entry.receipt_tree(fee_ppm)


def claim_arguments(client: ChainClient, events: Iterable[Event], leaves: list[Leaf]) -> tuple[object, ...]:
    """What `EpochLedger.claim` takes for leaves of one entry: with the verdicts of all that were drawn for them."""
    first = leaves[0]
    drawn: set[str] = set()
    for leaf in leaves:
        owner = client.call("StakeVault", "deviceOf", leaf.device)["owner"]
        drawn |= set(client.call("Attestations", "drawnSeats", leaf.epoch_id, leaf.hash, owner))
    revealed = {
        event.args["verifier"]: SeatVerdict.of(event.args)
        for event in events
        if event.name == "Revealed" and event.args["epochId"] == first.epoch_id
    }
    verdicts = tuple(revealed[verifier] for verifier in sorted(drawn & revealed.keys()))
    return first.epoch_id, first.head, first.place.entry_index, first.place.entry.bid, _claimed(leaves), verdicts


def _claimed(leaves: list[Leaf]) -> ClaimedLeaves:
    """Leaves of one entry as they are claimed: with their leases where another than the job's settler posted them."""
    packed = {leaf.place.leaf_index: leaf.packed() for leaf in leaves}
    foreign = leaves[0].head.settler != leaves[0].job_settler
    leases = {leaf.place.leaf_index: leaf.leases for leaf in leaves} if foreign else None
    return ClaimedLeaves.of(leaves[0].tree, packed, leases)


def why_not(client: ChainClient, events: Iterable[Event], leaves: list[Leaf], sender: str) -> str | None:
    """The reason for which a claim of these leaves of one entry would be refused now; None where it would pass."""
    try:
        client.call("EpochLedger", "claim", *claim_arguments(client, events, leaves), sender=sender)
    except ContractReverted as error:
        return str(error)
    return None
