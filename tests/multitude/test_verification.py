"""Results are believed only when chain and blobs agree: flip anything and they are refused."""

import dataclasses

import pytest

from chain.codec import Event
from multitude.buyer.verification import settled_tasks
from multitude.errors import ResultsInvalid
from protocol.blobs import blob_id
from protocol.epoch_data import EntryData, EpochData, LeafData, SignedLease
from protocol.merkle import ResultTree, TaskResult
from protocol.messages import Lease, Receipt
from protocol.money import amount_of
from protocol.output_blob import encode_outputs
from protocol.signing import address_of
from protocol.spans import SpanSet
from tests.vectors.samples import DOMAIN, SETTLER, bid_of, key_of

PRICE = 5 * 10**18
FEE_PPM = 10_000
BID = bid_of(task_count=10, span_tasks=4)


def outputs_of(tasks):
    return [b"output of %d" % task for task in tasks]


class World:
    """One epoch with two leaves, its blobs and the ledger's events."""

    def __init__(self):
        self.blobs = {}
        leaves = (self.leaf("ann", (0, 2)), self.leaf("bob", (1,)))
        self.data = EpochData(SETTLER, (EntryData(BID, b"\1", leaves),))
        self.events = [self.posted(), *(self.claimed(leaf) for leaf in leaves)]

    def put(self, data):
        self.blobs[blob_id(data)] = data
        return blob_id(data)

    def leaf(self, name, spans):
        device, chosen = address_of(key_of(name)), SpanSet.of(spans)
        tasks = chosen.tasks(BID.task_count, BID.span_tasks)
        results = tuple(
            TaskResult.of_output(task, output, 1_000) for task, output in zip(tasks, outputs_of(tasks), strict=True)
        )
        tree = ResultTree(results)
        lease = Lease(BID.job_id, 1, spans, device, PRICE, 100, 200)
        amount = amount_of(tree.total_wu, PRICE)
        sums = (tree.root, len(results), tree.total_wu, tree.total_squared_wu, amount, 200)
        receipt = Receipt(BID.job_id, device, 0, chosen.hash, *sums)
        blob = self.put(encode_outputs(outputs_of(tasks)))
        signed = SignedLease(lease, lease.sign(DOMAIN, key_of("settler")))
        return LeafData(receipt, receipt.sign(DOMAIN, key_of(name)), chosen, (signed,), results, (blob,))

    def posted(self):
        entry = self.data.entries[0].posted(FEE_PPM)
        head = {
            "settler": SETTLER,
            "dataId": self.put(self.data.blob),
            "snapshot": 1,
            "postedAt": 1,
            "postBlock": 1,
            "entries": [{"jobId": entry.job_id, "subroot": entry.subroot, "count": entry.count, "sum": entry.sum}],
            "periods": [0],
        }
        return event("Posted", {"epochId": 1, "settler": SETTLER, "head": head})

    def claimed(self, leaf, epoch=1):
        names = {"epochId": epoch, "jobId": BID.job_id, "device": leaf.receipt.device}
        return event("Claimed", names | {"receiptDigest": leaf.receipt.struct_hash, "money": {}})

    def settled(self, fee_ppm=FEE_PPM):
        return settled_tasks(BID, fee_ppm, DOMAIN, self.events, self.blobs.__getitem__)


def event(name, args):
    return Event(name, "EpochLedger", args, 1, bytes(32), bytes(32), 0)


@pytest.fixture
def world():
    return World()


def test_settled_tasks_are_all_with_their_outputs_in_order(world):
    tasks = world.settled()
    assert [task.output for task in tasks] == outputs_of(range(10))
    assert {task.device for task in tasks if 4 <= task.task < 8} == {address_of(key_of("bob"))}


def test_settled_tasks_leave_out_what_was_not_claimed(world):
    del world.events[2]
    assert [task.task for task in world.settled()] == [0, 1, 2, 3, 8, 9]


def test_settled_tasks_another_output_is_refused(world):
    leaf = world.data.entries[0].leaves[1]
    other = [*outputs_of(range(4, 7)), b"a lie"]
    world.blobs[leaf.outputs[0]] = encode_outputs(other)
    with pytest.raises(ResultsInvalid, match="task 7"):
        world.settled()


def test_settled_tasks_data_that_was_not_posted_is_refused(world):
    head = world.events[0].args["head"]
    head["entries"][0]["subroot"] = bytes(32)
    with pytest.raises(ResultsInvalid, match="subroot"):
        world.settled()


def test_settled_tasks_under_another_fee_is_refused(world):
    with pytest.raises(ResultsInvalid):
        world.settled(fee_ppm=FEE_PPM + 1)


def test_settled_tasks_claimed_receipt_without_data_is_refused(world):
    receipt = dataclasses.replace(world.data.entries[0].leaves[0].receipt, amount=1)
    world.events[1].args["receiptDigest"] = receipt.struct_hash
    with pytest.raises(ResultsInvalid, match="not in its data"):
        world.settled()


def test_settled_tasks_one_task_twice_is_refused(world):
    again = world.posted()
    again.args["epochId"] = 2
    world.events += [again, world.claimed(world.data.entries[0].leaves[1], epoch=2)]
    with pytest.raises(ResultsInvalid, match="settled in epochs 1 and 2"):
        world.settled()
