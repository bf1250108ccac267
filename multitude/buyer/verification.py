"""What was settled, read from the chain and from blobs alone: the market's word is not asked.

A task is settled when a Claimed event names its receipt. The epoch's data blob is fetched by the id that the chain
holds, its entry must be the one posted, its leaf must be backed, and outputs must have the roots of their results.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from chain.calls import Head
from chain.codec import Event
from multitude.errors import ResultsInvalid
from protocol.epoch_data import EpochData, LeafData, PostedEntry, check_entry, check_leaf
from protocol.errors import ProtocolError
from protocol.messages import Bid, Domain
from protocol.output_blob import check_outputs, decode_outputs

Fetch = Callable[[bytes], bytes]
"""A blob by its id, checked."""


class SettledTask(NamedTuple):
    """A task that was paid for: its output, WU and status, who ran it and in which epoch it was settled."""

    task: int
    output: bytes
    wu: int
    status: int
    device: str
    epoch: int


def settled_tasks(bid: Bid, fee_ppm: int, domain: Domain, events: Iterable[Event], fetch: Fetch) -> list[SettledTask]:
    """The settled tasks of a job in task order; `fee_ppm` is the job's.

    `events` are the ledger's. Raises ResultsInvalid where blobs are not what the chain committed to.
    """
    heads: dict[int, Head] = {}
    claimed: dict[int, set[bytes]] = {}
    for event in events:
        if event.name == "Posted":
            heads[event.args["epochId"]] = Head.of(event.args["head"])
        elif event.name == "Claimed" and event.args["jobId"] == bid.job_id:
            claimed.setdefault(event.args["epochId"], set()).add(event.args["receiptDigest"])
    tasks: dict[int, SettledTask] = {}
    for epoch, digests in sorted(claimed.items()):
        try:
            found = _of_epoch(bid, fee_ppm, domain, epoch, heads[epoch], digests, fetch)
        except ProtocolError as error:
            raise ResultsInvalid(f"epoch {epoch}: {error.reason}") from error
        for task in found:
            if task.task in tasks:
                raise ResultsInvalid(f"task {task.task} was settled in epochs {tasks[task.task].epoch} and {epoch}")
            tasks[task.task] = task
    return [tasks[task] for task in sorted(tasks)]


def _of_epoch(
    bid: Bid, fee_ppm: int, domain: Domain, epoch: int, head: Head, digests: set[bytes], fetch: Fetch
) -> list[SettledTask]:
    data = EpochData.parse(fetch(head.data_id))
    index = next((i for i, entry in enumerate(head.entries) if entry.job_id == bid.job_id), None)
    if index is None or index >= len(data.entries):
        raise ResultsInvalid(f"epoch {epoch} has no entry of the job")
    posted, entry = head.entries[index], data.entries[index]
    check_entry(entry, fee_ppm, PostedEntry(posted.job_id, posted.subroot, posted.count, posted.sum))
    leaves = [leaf for leaf in entry.leaves if leaf.receipt.struct_hash in digests]
    if len(leaves) != len(digests):
        raise ResultsInvalid(f"epoch {epoch}: {len(digests) - len(leaves)} claimed receipts are not in its data")
    return [task for leaf in leaves for task in _of_leaf(bid, domain, epoch, leaf, fetch)]


def _of_leaf(bid: Bid, domain: Domain, epoch: int, leaf: LeafData, fetch: Fetch) -> list[SettledTask]:
    check_leaf(bid, leaf, domain)
    if leaf.faults(bid):
        raise ResultsInvalid(f"epoch {epoch}: results that no run can give: {leaf.faults(bid)}")
    settled = []
    for lease, blob in enumerate(leaf.outputs):
        results = [leaf.results[position] for position in leaf.positions_of_lease(lease, bid)]
        outputs = decode_outputs(fetch(blob), len(results), bid.max_output_bytes)
        check_outputs(results, outputs)
        settled += [
            SettledTask(result.task_index, output, result.wu, result.status, leaf.receipt.device, epoch)
            for result, output in zip(results, outputs, strict=True)
        ]
    return settled
