"""A real epoch in memory: a buyer's job of random images on the digits program, run by two devices."""

from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

from chain.calls import Entry, Head
from execution import Sandbox
from execution import TaskResult as RunResult
from programs.catalogue import CATALOGUE
from protocol.blobs import blob_id
from protocol.encoding import ZERO_ADDRESS
from protocol.epoch_data import EntryData, EpochData, LeafData, SignedLease
from protocol.hashing import keccak256
from protocol.manifest import Manifest
from protocol.merkle import ResultTree, TaskResult, words_root
from protocol.messages import Bid, Domain, Lease, Receipt
from protocol.money import amount_of
from protocol.output_blob import encode_outputs
from protocol.program import ProgramFacts
from protocol.signing import address_of
from protocol.spans import SpanSet
from verifier.errors import BlobUnavailable

DOMAIN = Domain(31337, "0x" + "ee" * 20)
FEE_PPM = 20_000
PRICE = 10**12
SPAN_TASKS = 8
LIE_OUTPUT = b"\x07" + bytes(40)
DIGITS = CATALOGUE["digits"].build()


def key(name: str) -> bytes:
    return keccak256(name.encode())


def address(name: str) -> str:
    return address_of(key(name))


@dataclass
class MemoryBlobs:
    """A store that can withhold."""

    held: dict[bytes, bytes] = field(default_factory=dict)

    def put(self, data: bytes) -> bytes:
        self.held[blob_id(data)] = data
        return blob_id(data)

    def get(self, content_id: bytes) -> bytes:
        if content_id not in self.held:
            raise BlobUnavailable(content_id.hex())
        return self.held[content_id]


@dataclass
class RealEpoch:
    """The epoch's blobs and head; `lies` are (device, position) pairs whose results are not what the program gives."""

    blobs: MemoryBlobs
    head: Head
    data: EpochData
    fees_ppm: dict[bytes, int]
    programs: dict[bytes, ProgramFacts]


@cache
def images(count: int = 48) -> tuple[bytes, ...]:
    random = Random(3)
    return tuple(bytes(random.randrange(17) for _ in range(64)) for _ in range(count))


@cache
def honest_runs() -> tuple[RunResult, ...]:
    with Sandbox(DIGITS.rewritten, DIGITS.limits) as sandbox:
        return tuple(sandbox.run_many(images()))


@cache
def honest_results() -> tuple[TaskResult, ...]:
    runs = honest_runs()
    return tuple(TaskResult.of_output(task, run.output, run.wu, run.status) for task, run in enumerate(runs))


def outputs_of(results: list[TaskResult]) -> bytes:
    """The blob of what these tasks' device delivered: what it signed, where that is an output of ours."""
    told = {words_root(LIE_OUTPUT): LIE_OUTPUT} | {words_root(run.output): run.output for run in honest_runs()}
    return encode_outputs([told.get(result.output_root, b"") for result in results])


def bid_of(manifest: Manifest) -> Bid:
    return Bid(
        buyer=address("buyer"), program_id=DIGITS.program_id, inputs_root=manifest.inputs_root,
        manifest=manifest.blob_id, task_count=len(manifest.inputs), span_tasks=SPAN_TASKS,
        task_limit_wu=DIGITS.limits.wu, max_output_bytes=1024, max_price_wei_per_gwu=PRICE, budget=10**30,
        rate_floor_ppm=100_000, min_stake=0, deadline=2**39, settler=ZERO_ADDRESS, max_fee_ppm=30_000, salt=bytes(32),
    )  # fmt: skip


def leaf_of(
    bid: Bid, device: str, spans: range, results: list[TaskResult], outputs: bytes, signer: str | None = None
) -> LeafData:
    chosen = SpanSet.of(spans)
    tree = ResultTree(results)
    lease = Lease(bid.job_id, 1, tuple(spans), address(device), PRICE, 2**39, 2**39)
    receipt = Receipt(
        bid.job_id, address(device), 0, chosen.hash, tree.root, len(results), tree.total_wu, tree.total_squared_wu,
        amount_of(tree.total_wu, PRICE), 2**39,
    )  # fmt: skip
    signed = SignedLease(lease, lease.sign(DOMAIN, key("settler")))
    return LeafData(receipt, receipt.sign(DOMAIN, key(signer or device)), chosen, (signed,), tuple(results), (outputs,))


def real_epoch(lies: tuple[tuple[int, TaskResult], ...] = (), forged_signature: bool = False) -> RealEpoch:
    """Device `ann` has the first half of the spans, device `bob` the second; `lies` replace results by task."""
    blobs = MemoryBlobs()
    blobs.put(CATALOGUE["digits"].module.read_bytes())
    manifest = Manifest.of(images())
    blobs.put(manifest.blob)
    bid = bid_of(manifest)
    results = list(honest_results())
    for task, lie in lies:
        results[task] = lie
    half = len(results) // 2
    spans = half // SPAN_TASKS
    leaves = (
        leaf_of(bid, "ann", range(spans), results[:half], blobs.put(outputs_of(results[:half]))),
        leaf_of(
            bid,
            "bob",
            range(spans, 2 * spans),
            results[half:],
            blobs.put(outputs_of(results[half:])),
            "eve" if forged_signature else None,
        ),
    )
    entry = EntryData(bid, bid.sign(DOMAIN, key("buyer")), leaves)
    data = EpochData(address("settler"), (entry,))
    posted = entry.posted(FEE_PPM)
    entries = (Entry(posted.job_id, posted.subroot, posted.count, posted.sum),)
    head = Head(address("settler"), blobs.put(data.blob), 0, 1_000, 10, entries, (0,))
    return RealEpoch(blobs, head, data, {bid.job_id: FEE_PPM}, {DIGITS.program_id: DIGITS.facts})


def lie_about(task: int) -> TaskResult:
    """A well-formed wrong output at the right cost."""
    return TaskResult.of_output(task, LIE_OUTPUT, honest_results()[task].wu)


def at_wrong_index(task: int) -> TaskResult:
    return replace(honest_results()[task], task_index=task + 1)
