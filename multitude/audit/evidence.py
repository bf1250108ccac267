"""The posting against itself: head, beacon round, seed, and whether the data gives what was posted. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from multitude.audit.facts import EpochFacts, EpochState, Job
from multitude.audit.findings import Finding, agrees, compared, differs, disagrees, shown, unknown
from protocol.blobs import blob_id
from protocol.epoch_data import EpochData, NumberedLeaf, PostedEntry, check_entry, check_leaf, lease_signer
from protocol.errors import ProtocolError
from protocol.merkle import receipt_leaf
from protocol.messages import Bid, Domain
from protocol.money import debit_of
from protocol.sampling import epoch_seed


@dataclass(frozen=True)
class Leaf:
    """A posted leaf whose entry is the one posted, its debit in wei.

    `unbacked` says why its data does not stand for it; where it does, `lessor` signed its leases.
    """

    place: NumberedLeaf
    hash: bytes
    debit: int
    job: Job
    lessor: str | None
    unbacked: str | None

    @property
    def number(self) -> int:
        """The leaf's number in the epoch."""
        return self.place.number

    @property
    def bid(self) -> Bid:
        """The bid of its job."""
        return self.place.entry.bid

    @property
    def device(self) -> str:
        """Whose receipt it is."""
        return self.place.leaf.receipt.device

    @property
    def digest(self) -> bytes:
        """receiptDigest: what events name it by."""
        return self.place.leaf.receipt.struct_hash

    @property
    def tasks(self) -> tuple[int, ...]:
        """The job's task index of each position."""
        return self.place.leaf.spans.tasks(self.bid.task_count, self.bid.span_tasks)

    def faults(self) -> dict[int, str]:
        """Positions whose result no run can give."""
        return {} if self.unbacked else self.place.leaf.faults(self.bid)


@dataclass(frozen=True)
class Evidence:
    """The leaves that the data shows, by number, and the findings on the way there.

    Of a posted leaf that is not among them, nobody can tell what it is: `unseen` says why, by number.
    """

    leaves: dict[int, Leaf]
    unseen: dict[int, str]
    findings: tuple[Finding, ...]


def check_posting(facts: EpochFacts) -> Iterator[Finding]:
    """Head, round and debits as the posting's events and the contracts have them."""
    head, posted = facts.head, facts.posted
    yield compared(
        "head", "hashed again: it is what the ledger stores", differs("its hash", facts.head_hash, head.hash)
    )
    opened = facts.opened
    if opened is None:
        yield disagrees("round", "no beacon round was fixed")
        return
    wrong = differs("the posting's block", head.post_block, posted.block_number)
    wrong += differs("the round", opened.args["round"], head.post_block + facts.beacon_delay)
    wrong += differs("the snapshot", opened.args["snapshot"], head.snapshot)
    yield compared("round", f"{opened.args['round']}, {facts.beacon_delay} blocks after the posting", wrong)
    yield compared("debits", f"{len(head.entries)} jobs were debited what was posted", _debit_differences(facts))


def _debit_differences(facts: EpochFacts) -> list[str]:
    debited = {
        event.args["jobId"]: event
        for event in facts.log.named("JobDebited", settler=facts.head.settler)
        if event.tx_hash == facts.posted.tx_hash
    }
    wrong = []
    for entry, period in zip(facts.head.entries, facts.head.periods, strict=True):
        event = debited.get(entry.job_id)
        if event is None:
            wrong.append(f"job {shown(entry.job_id)} was not debited")
            continue
        wrong += differs("the debit", event.args["sum"], entry.sum) + differs(
            "the period", event.args["period"], period
        )
    return wrong


def check_seed(facts: EpochFacts) -> Finding:
    """The seed from the hash of the block that is the beacon's round."""
    seeded = facts.log.first("Seeded", epochId=facts.epoch_id)
    if not facts.is_seeded or seeded is None:
        if facts.state == EpochState.VOID:
            wrong = [] if seeded is None else ["a void epoch has a seed"]
            return compared("seed", "none came in time: the epoch is void", wrong)
        return unknown("seed", "there is none yet")
    wrong = differs("the stored seed", facts.seed, seeded.args["seed"])
    round_number = facts.opened.args["round"] if facts.opened else 0
    randomness = facts.block_hashes.get(round_number)
    if randomness is None and not wrong:
        return unknown("seed", f"the node has no block {round_number} to recompute it from")
    if randomness is not None:
        wrong += differs("the seed", facts.seed, epoch_seed(randomness, facts.epoch_id))
    return compared("seed", f"{shown(facts.seed)}, from the hash of block {round_number}", wrong)


def gather(facts: EpochFacts, raw: bytes, domain: Domain) -> Evidence:
    """The leaves of the epoch's data; `raw` are the bytes of its blob, or of a file that is to be compared with it."""
    head = facts.head
    count = sum(entry.count for entry in head.entries)
    findings = [compared("data", f"{len(raw)} bytes", differs("its id", head.data_id, blob_id(raw)))]
    try:
        data = EpochData.parse(raw)
    except ProtocolError as error:
        findings.append(disagrees("data", f"malformed: {error.reason}"))
        return Evidence({}, dict.fromkeys(range(count), "the epoch's data is malformed"), tuple(findings))
    if len(data.entries) != len(head.entries):
        findings.append(disagrees("data", f"{len(data.entries)} entries where {len(head.entries)} were posted"))
        return Evidence({}, dict.fromkeys(range(count), "the data has other entries"), tuple(findings))
    matched = [_entry_finding(facts, data, index) for index in range(len(head.entries))]
    findings += matched
    good = {index for index, finding in enumerate(matched) if finding == agrees(finding.topic, finding.detail)}
    leaves = {p.number: _leaf(facts, p, domain) for p in data.leaves() if p.entry_index in good}
    findings += [_leaf_finding(leaf) for leaf in leaves.values()]
    unseen = dict.fromkeys(set(range(count)) - leaves.keys(), "its entry is not the one posted")
    return Evidence(leaves, unseen, tuple(findings))


def _entry_finding(facts: EpochFacts, data: EpochData, index: int) -> Finding:
    entry, posted = data.entries[index], facts.head.entries[index]
    topic = f"entry {index}"
    job = facts.log.jobs.get(posted.job_id)
    if job is None:
        return disagrees(topic, f"job {shown(posted.job_id)} was never opened")
    try:
        check_entry(entry, job.fee_ppm, PostedEntry(posted.job_id, posted.subroot, posted.count, posted.sum))
    except ProtocolError as error:
        return disagrees(topic, f"recomputed from the data: {error.reason}")
    return agrees(topic, f"job, receipt root, count and sum of {posted.count} receipts recomputed")


def _leaf(facts: EpochFacts, place: NumberedLeaf, domain: Domain) -> Leaf:
    receipt, bid = place.leaf.receipt, place.entry.bid
    job = facts.log.jobs[bid.job_id]
    debit = debit_of(receipt.amount, job.fee_ppm, bid.rate_floor_ppm)
    leaf_hash = receipt_leaf(receipt, debit).hash
    unbacked = _why_unbacked(place, domain)
    lessor = None if unbacked else lease_signer(place.leaf, domain)
    return Leaf(place, leaf_hash, debit, job, lessor, unbacked)


def _why_unbacked(place: NumberedLeaf, domain: Domain) -> str | None:
    try:
        check_leaf(place.entry.bid, place.leaf, domain)
    except ProtocolError as error:
        return error.reason
    return None


def _leaf_finding(leaf: Leaf) -> Finding:
    topic = f"leaf {leaf.number}"
    if leaf.unbacked is not None:
        return disagrees(topic, f"not backed by the data: {leaf.unbacked}")
    data = leaf.place.leaf
    parts = f"spans, result root and sums of {len(data.results)} results, {len(data.leases)} leases, signatures"
    return agrees(topic, f"of {leaf.device}: {parts} recomputed")
