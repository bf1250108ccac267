"""What happened, read from the chain and from the blobs that it commits to: nobody's word is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chain.accounting import GasLine, gas_report
from chain.calls import Head
from chain.client import ChainClient
from chain.codec import Event
from deploy.local.mainjob.cast import Cast
from deploy.local.mainjob.summary import BuyerLine, DeviceLine, Findings, LiarLine
from multitude.buyer.verification import SettledTask, settled_tasks
from protocol.epoch_data import EpochData, LeafData
from protocol.merkle import receipt_leaf
from protocol.messages import Bid
from protocol.money import debit_of
from protocol.sampling import (
    APPEAL_SEATS,
    PANEL_SEATS,
    REDRAW_SEATS,
    drawn_tasks,
    miss_probability,
    p_ppm,
    price_of_task,
)

Fetch = Callable[[bytes], bytes]


@dataclass(frozen=True)
class PostedLeaf:
    """A leaf of the job in a posted epoch: its hash, the stake in wei at the posting, the claim's money if claimed.

    `drawn` are the replayed positions, None where the epoch never got a seed.
    """

    epoch: int
    data: LeafData
    leaf_hash: bytes
    stake: int
    drawn: tuple[int, ...] | None
    seats: int
    money: dict[str, int] | None

    @property
    def device(self) -> str:
        """Whose receipt it is."""
        return self.data.receipt.device

    @property
    def drawn_wu(self) -> int:
        """WU of the drawn tasks."""
        return sum(self.data.results[k].wu for k in self.drawn or ())


class Record:
    """One job's events and leaves, as they are at the head."""

    def __init__(self, client: ChainClient, bid: Bid, fetch: Fetch) -> None:
        self.client = client
        self.bid = bid
        self._fetch = fetch
        head = client.head()
        self._events = client.logs(client.deployment.deploy_block, head.number)
        self.fee_ppm = int(client.call("JobEscrow", "jobOf", bid.job_id)["feePpm"])
        self.leaves = [leaf for event in self.named("Posted") for leaf in self._leaves_of(event)]

    def named(self, name: str, **arguments: object) -> list[Event]:
        """Events of that name with these arguments, in order."""
        return [e for e in self._events if e.name == name and all(e.args[k] == v for k, v in arguments.items())]

    def settled(self) -> list[SettledTask]:
        """The tasks that are paid for. Raises ResultsInvalid."""
        domain = self.client.deployment.domain
        ledger = [event for event in self._events if event.contract == "EpochLedger"]
        return settled_tasks(self.bid, self.fee_ppm, domain, ledger, self._fetch)

    def _leaves_of(self, posted: Event) -> list[PostedLeaf]:
        head, epoch = Head.of(posted.args["head"]), posted.args["epochId"]
        if all(entry.job_id != self.bid.job_id for entry in head.entries):
            return []
        data = EpochData.parse(self._fetch(head.data_id))
        entry = next(entry for entry in data.entries if entry.bid.job_id == self.bid.job_id)
        seeds = [event.args["seed"] for event in self.named("Seeded", epochId=epoch)]
        return [self._leaf(epoch, head, leaf, seeds[0] if seeds else None) for leaf in entry.leaves]

    def _leaf(self, epoch: int, head: Head, leaf: LeafData, seed: bytes | None) -> PostedLeaf:
        receipt, floor = leaf.receipt, self.bid.rate_floor_ppm
        leaf_hash = receipt_leaf(receipt, debit_of(receipt.amount, self.fee_ppm, floor)).hash
        stake = int(self.client.call("StakeVault", "stakeAt", receipt.device, head.post_block))
        claims = self.named("Claimed", epochId=epoch, receiptDigest=receipt.struct_hash)
        drawn, seats = None, 0
        if seed is not None:
            drawn = drawn_tasks(seed, receipt, leaf.wus, stake, floor)
            owner = self.client.call("StakeVault", "deviceOf", receipt.device)["owner"]
            seats = len(self.client.call("Attestations", "drawnSeats", epoch, leaf_hash, owner))
        return PostedLeaf(epoch, leaf, leaf_hash, stake, drawn, seats, claims[0].args["money"] if claims else None)


def device_lines(record: Record, cast: Cast, price_wei: int) -> list[DeviceLine]:
    """A line for each device."""
    return [
        _device_line(record, plan.device.address, not plan.lies, plan.stake_tasks * price_wei) for plan in cast.devices
    ]


def _device_line(record: Record, device: str, honest: bool, stake_wei: int) -> DeviceLine:
    convictions = record.named("Convicted", device=device)
    leaves = [leaf for leaf in record.leaves if leaf.device == device and (convictions or leaf.money)]
    receipts = [leaf.data.receipt for leaf in leaves]
    money = [leaf.money for leaf in leaves if leaf.money]
    return DeviceLine(
        address=device,
        honest=honest,
        stake_wei=stake_wei,
        tasks=sum(receipt.count for receipt in receipts),
        wu=sum(receipt.total_wu for receipt in receipts),
        gross_wei=sum(receipt.amount for receipt in receipts),
        paid_wei=sum(part["paid"] for part in money),
        deducted_wei=sum(part["deduction"] for part in money),
        bonded_wei=sum(part["bonded"] for part in money),
        slashed_wei=sum(event.args["slashed"] for event in convictions),
    )


def liar_line(record: Record, cast: Cast, expected_roots: Sequence[bytes]) -> LiarLine | None:
    """What the liar made up in the leaves that were posted; None without a liar."""
    liars = {plan.device.address for plan in cast.devices if plan.lies}
    if not liars:
        return None
    wrong: set[int] = set()
    chances: list[int] = []
    for leaf in (leaf for leaf in record.leaves if leaf.device in liars):
        for result, chance in zip(leaf.data.results, _chances(leaf, record.bid), strict=True):
            if result.output_root != expected_roots[result.task_index]:
                wrong.add(result.task_index)
                chances.append(chance)
    return LiarLine(len(wrong), miss_probability(chances))


def _chances(leaf: PostedLeaf, bid: Bid) -> list[int]:
    receipt = leaf.data.receipt
    prices = (price_of_task(wu, receipt.amount, receipt.total_wu) for wu in leaf.data.wus)
    return [p_ppm(price, leaf.stake, bid.rate_floor_ppm) for price in prices]


def drawn_count(record: Record) -> int:
    """Tasks that the seeds drew for replay."""
    return sum(len(leaf.drawn or ()) for leaf in record.leaves)


def overhead(record: Record) -> float | None:
    """WU replayed by all seats, redraws and panels included, over WU paid; None while nothing is paid."""
    by_leaf = {(leaf.epoch, leaf.leaf_hash): leaf for leaf in record.leaves}
    replayed = sum(leaf.seats * leaf.drawn_wu for leaf in record.leaves)
    for event in record.named("RedrawOpened"):
        leaf = by_leaf.get((event.args["epochId"], event.args["leafHash"]))
        replayed += REDRAW_SEATS * leaf.drawn_wu if leaf else 0
    for game in record.named("ChallengeOpened"):
        leaf = by_leaf.get((game.args["epochId"], game.args["leafHash"]))
        rounds = [event.args["round"] for event in record.named("PanelDrawn", gameId=game.args["gameId"])]
        seats = sum(APPEAL_SEATS if number else PANEL_SEATS for number in rounds)
        replayed += seats * leaf.data.results[game.args["task"]].wu if leaf else 0
    paid = sum(leaf.data.receipt.total_wu for leaf in record.leaves if leaf.money)
    return replayed / paid if paid else None


def gas_of_job(record: Record) -> dict[str, GasLine]:
    """Gas of every transaction to our contracts from openJob to the last claim, by function."""
    opened, claims = record.named("JobOpened", jobId=record.bid.job_id), record.named("Claimed")
    if not opened or not claims:
        return {}
    first, last = opened[0], claims[-1]
    return gas_report(record.client, first.block_number, last.block_number, first.tx_hash, last.tx_hash)


def buyer_line(record: Record) -> BuyerLine | None:
    """The buyer's money; None while the job is not closed."""
    job = record.bid.job_id
    closed = record.named("JobClosed", jobId=job)
    if not closed:
        return None
    money = [event.args["money"] for event in record.named("Claimed", jobId=job)]
    return BuyerLine(
        escrowed_wei=record.bid.budget,
        spent_wei=sum(event.args["spent"] for event in record.named("JobSettled", jobId=job)),
        fees_wei=sum(part["fee"] for part in money),
        verification_wei=sum(part["surcharge"] for part in money),
        refunded_wei=closed[0].args["refunded"],
    )


def find(record: Record, cast: Cast, settled: Sequence[SettledTask], expected: Sequence[bytes]) -> Findings:
    """What else decides whether the run is good."""
    liars = {plan.device.address for plan in cast.devices if plan.lies}
    done = {task.task for task in settled}
    roots_wrong = {task.task for task in settled if task.status != 0 or task.output != expected[task.task]}
    return Findings(
        wrong_outputs=sorted(roots_wrong),
        unsettled=[task for task in range(record.bid.task_count) if task not in done],
        redone_by_liar=sorted(task.task for task in settled if task.device in liars),
        honest_losses=_honest_losses(record, liars),
        slashes=len(record.named("Convicted")),
    )


def _honest_losses(record: Record, liars: set[str]) -> list[str]:
    losers = [(e.name, e.args["device"]) for e in record.named("Convicted") if e.args["device"] not in liars]
    losers += [(e.name, e.args["verifier"]) for e in record.named("SeatSlashed")]
    losers += [(e.name, e.args["settler"]) for name in ("BondBurned", "BondPaid") for e in record.named(name)]
    return [f"{name} {who}" for name, who in losers]
