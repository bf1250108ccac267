"""An owner's devices with their health, and the pay that the chain alone tells only with the epochs' data at hand."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, and_, func, literal, select, true, tuple_
from sqlalchemy.orm import Session

from market.context import Context
from market.jobs.models import Job, JobTransaction
from market.leases.models import UNFINAL, Lease, LeaseState, Receipt, ReceiptState
from market.leases.service import tasks_of
from market.leases.standing import unattested_work
from market.matching.policy import DeviceStanding, device_refusal
from market.offers.models import Offer
from market.offers.service import live_seconds
from market.programs.models import Program
from market.sessions.models import Device
from market.settlement.models import Epoch, EpochLeaf, EpochState, LeafState
from protocol.messages import Bid
from protocol.money import BONDED_TASKS

UNPOSTED = (ReceiptState.ACCEPTED, ReceiptState.POSTING)
DONE = (*UNFINAL, ReceiptState.CLAIMED)
LOST = (ReceiptState.VOIDED, ReceiptState.DROPPED)
TAKEN_BACK = (EpochState.VOID, EpochState.FAILED)

LEAVES_OF_EPOCH = 256
"""More than an epoch's leaves: what a cursor is counted in."""


class Health(StrEnum):
    """What a device does as far as this market sees: holds a lease, asks for one, does neither, or is convicted."""

    WORKING = "working"
    WAITING = "waiting"
    SILENT = "silent"
    CONVICTED = "convicted"


class InHand(NamedTuple):
    """A device's live lease; price in wei per GWU, times in Unix seconds."""

    job_id: str
    lease_id: int
    program_id: str
    program: str | None
    tasks: int
    price: int
    issued_at: int
    expires_at: int


class DeviceView(NamedTuple):
    """A device; `refusal` is why it would get no lease now, wei, WU, Unix seconds.

    `average_task` is over all its work that was accepted and not lost, `target_stake` follows from it; both are 0
    before the first task. `seen_at`, `asked_price` and what comes with them are None for one that never asked here.
    """

    address: str
    health: Health
    refusal: str | None
    seen_at: int | None
    stake: int
    average_task: int
    unfinal: int
    accepted: int
    tasks_done: int
    wu_done: int
    tasks_lost: int
    leases_expired: int
    asked_price: int | None
    ns_per_wu: float | None
    in_hand: InHand | None

    @property
    def target_stake(self) -> int:
        """The stake from which on none of its pay is bonded."""
        return BONDED_TASKS * self.average_task


class LeafView(NamedTuple):
    """A posted leaf; wei. What it paid is None until it is claimed; `end_tx` claimed or voided it."""

    number: int
    leaf: EpochLeaf
    receipt: Receipt
    epoch: Epoch
    post_tx: str | None
    end_tx: str | None


class Pending(NamedTuple):
    """Pay in wei: not posted yet, posted and its epoch not final, final and not claimed."""

    accepted: int
    posted: int
    final: int


# --- devices


def devices_of(context: Context, owner: str, after: str | None, limit: int) -> list[DeviceView]:
    """Devices bound to the owner, by address, at most `limit`, from the one after `after` on."""
    work, leases = _work_of_each(), _leases_of_each()
    query = (
        select(Device, Offer, work, leases, unattested_work(Device.address).exists().label("unattested"))
        .outerjoin(Offer, Offer.device == Device.address)
        .join(work, true())
        .join(leases, true())
        .where(Device.owner == owner)
        .order_by(Device.address)
        .limit(limit)
    )
    if after is not None:
        query = query.where(Device.address > after)
    with context.sessions() as session:
        rows = session.execute(query).mappings().all()
        hands = _in_hand(context, session, [row["Device"].address for row in rows])
    return [_view(context, row, hands.get(row["Device"].address)) for row in rows]


def _work_of_each() -> Any:
    """Sums over a device's receipts, beside its row."""

    def total(column: Any, states: Collection[str]) -> Any:
        return func.coalesce(func.sum(column).filter(Receipt.state.in_(states)), 0)

    return (
        select(
            total(Receipt.amount, UNFINAL).label("unfinal"),
            total(Receipt.amount, UNPOSTED).label("accepted"),
            total(Receipt.amount, DONE).label("amount"),
            total(Receipt.count, DONE).label("tasks"),
            total(Receipt.total_wu, DONE).label("wu"),
            total(Receipt.count, LOST).label("lost"),
        )
        .where(Receipt.device == Device.address)
        .lateral("work")
    )


def _leases_of_each() -> Any:
    """How many of a device's leases ran out, beside its row."""
    expired = Lease.device == Device.address, Lease.state == LeaseState.EXPIRED
    return select(func.count().label("expired")).select_from(Lease).where(*expired).lateral("ended")


def _in_hand(context: Context, session: Session, devices: Sequence[str]) -> dict[str, InHand]:
    """The newest live lease of each device."""
    query = (
        select(Lease, Job.program_id, Job.bid_json, Program.name)
        .join(Job, Job.job_id == Lease.job_id)
        .outerjoin(Program, Program.program_id == Job.program_id)
        .where(Lease.device.in_(devices), Lease.state == LeaseState.LIVE, Lease.expires_at > context.moment())
        .order_by(Lease.issued_at)
    )
    found = {}
    for lease, program_id, bid, name in session.execute(query):
        tasks = len(tasks_of(Bid.from_json(bid), list(lease.spans)))
        times = int(lease.issued_at.timestamp()), int(lease.expires_at.timestamp())
        found[lease.device] = InHand(lease.job_id, lease.lease_id, program_id, name, tasks, lease.price, *times)
    return found


def _view(context: Context, row: RowMapping, in_hand: InHand | None) -> DeviceView:
    device, offer, tasks = row["Device"], row["Offer"], int(row["tasks"])
    standing = DeviceStanding(
        address=device.address,
        bound=True,
        convicted=device.convicted,
        stake=device.stake,
        unfinal=int(row["unfinal"]),
        unattested=row["unattested"],
        open_games=device.open_games,
    )
    return DeviceView(
        address=device.address,
        health=_health(context, device, offer, in_hand),
        refusal=device_refusal(standing, context.policy),
        seen_at=None if offer is None or offer.polled_at is None else int(offer.polled_at.timestamp()),
        stake=device.stake,
        average_task=int(row["amount"]) // tasks if tasks else 0,
        unfinal=standing.unfinal,
        accepted=int(row["accepted"]),
        tasks_done=tasks,
        wu_done=int(row["wu"]),
        tasks_lost=int(row["lost"]),
        leases_expired=row["expired"],
        asked_price=None if offer is None else offer.min_price,
        ns_per_wu=None if offer is None else offer.ns_per_wu,
        in_hand=in_hand,
    )


def _health(context: Context, device: Device, offer: Offer | None, in_hand: InHand | None) -> Health:
    if device.convicted:
        return Health.CONVICTED
    if in_hand is not None:
        return Health.WORKING
    if offer is None or offer.polled_at is None or offer.valid_until <= context.moment():
        return Health.SILENT
    return Health.WAITING if offer.polled_at > context.moment(-live_seconds(context)) else Health.SILENT


# --- pay


def pending_of(context: Context, owner: str) -> Pending:
    """What the owner's devices have done and nobody claimed yet."""
    devices = select(Device.address).where(Device.owner == owner)
    unposted = select(func.coalesce(func.sum(Receipt.amount), 0)).where(
        Receipt.device.in_(devices), Receipt.state.in_(UNPOSTED)
    )
    is_final = Epoch.state == EpochState.FINAL
    posted = (
        select(is_final, func.sum(Receipt.amount))
        .join(EpochLeaf, EpochLeaf.receipt_id == Receipt.id)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(Receipt.device.in_(devices), Receipt.state == ReceiptState.COMMITTED)
        .where(EpochLeaf.state == LeafState.COMMITTED, Epoch.state.not_in(TAKEN_BACK))
        .group_by(is_final)
    )
    with context.sessions() as session:
        accepted = int(session.scalar(unposted) or 0)
        sums = {final: int(wei) for final, wei in session.execute(posted)}
    return Pending(accepted, sums.get(False, 0), sums.get(True, 0))


def leaves_of(context: Context, owner: str, before: int | None, limit: int) -> list[LeafView]:
    """Posted leaves of the owner's devices, newest first, at most `limit`, of numbers below `before`."""
    newest = EpochLeaf.epoch.desc(), EpochLeaf.leaf_number.desc()
    mine = (
        select(EpochLeaf.epoch, EpochLeaf.leaf_number)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(EpochLeaf.device == Device.address, Epoch.epoch_id.is_not(None))
        .order_by(*newest)
        .limit(limit)
    )
    if before is not None:
        place = tuple_(EpochLeaf.epoch, EpochLeaf.leaf_number)
        mine = mine.where(place < tuple_(*(literal(part) for part in divmod(before, LEAVES_OF_EPOCH))))
    each = mine.lateral("mine")
    query = (
        select(EpochLeaf, Receipt, Epoch)
        .select_from(Device)
        .join(each, true())
        .join(EpochLeaf, and_(EpochLeaf.epoch == each.c.epoch, EpochLeaf.leaf_number == each.c.leaf_number))
        .join(Receipt, Receipt.id == EpochLeaf.receipt_id)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(Device.owner == owner)
        .order_by(*newest)
        .limit(limit)
    )
    with context.sessions() as session:
        rows = session.execute(query).all()
        posts, ends = _transactions(session, [leaf for leaf, _, _ in rows], [epoch for _, _, epoch in rows])
    return [
        LeafView(
            number=leaf.epoch * LEAVES_OF_EPOCH + leaf.leaf_number,
            leaf=leaf,
            receipt=receipt,
            epoch=epoch,
            post_tx=posts.get((epoch.epoch_id, leaf.job_id)),
            end_tx=ends.get((epoch.epoch_id, leaf.digest)),
        )
        for leaf, receipt, epoch in rows
    ]


def _transactions(
    session: Session, leaves: Sequence[EpochLeaf], epochs: Sequence[Epoch]
) -> tuple[dict[tuple[int | None, str], str], dict[tuple[int | None, str], str]]:
    """What posted (by epoch and job) and what ended (by epoch and receipt) these leaves."""
    query = select(JobTransaction).where(
        JobTransaction.job_id.in_({leaf.job_id for leaf in leaves}),
        JobTransaction.epoch_id.in_({epoch.epoch_id for epoch in epochs}),
    )
    posts, ends = {}, {}
    for row in session.scalars(query):
        if row.digest is not None:
            ends[row.epoch_id, row.digest] = row.tx_hash
        elif row.what == "post":
            posts[row.epoch_id, row.job_id] = row.tx_hash
    return posts, ends
