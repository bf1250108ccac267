"""Endpoints of owners."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from market.access import ContextDep, limited
from market.guard import StrictRoute
from market.owners import service
from market.wire import Wire
from protocol.encoding import checksum_address

router = APIRouter(
    prefix="/v1/owners", tags=["owners"], route_class=StrictRoute, dependencies=[Depends(limited("owner"))]
)

OwnerPath = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{40}$")]
AfterDevice = Annotated[str | None, Query(pattern=r"^0x[0-9a-fA-F]{40}$", description="`next` of the page before")]


class InHandBody(Wire):
    """The lease that a device holds now."""

    job_id: str
    lease_id: str
    program_id: str
    program: str | None
    tasks: int
    price_wei_per_gwu: str = Field(alias="priceWeiPerGWU")
    issued_at: int
    expires_at: int


class OwnedDevice(Wire):
    """A device of an owner, with its health: `working`, `waiting`, `silent` or `convicted`.

    `refusal` says why it would get no lease now. `targetStakeWei` is 300 of its average task prices, `unfinalWei` the
    pay that it may still lose, `acceptedWei` the part of that which is not posted. `tasksLost` were voided or dropped,
    `leasesExpired` ran out before their results came. `seenAt` and what it asks are null where it never asked for work.
    """

    address: str
    health: service.Health
    refusal: str | None
    seen_at: int | None
    stake_wei: str
    target_stake_wei: str
    average_task_wei: str
    unfinal_wei: str
    accepted_wei: str
    tasks_done: int
    wu_done: str
    tasks_lost: int
    leases_expired: int
    asked_wei_per_gwu: str | None = Field(alias="askedWeiPerGWU")
    ns_per_wu: float | None = Field(alias="nsPerWU")
    in_hand: InHandBody | None


class OwnedDevices(Wire):
    """Devices of an owner by address. Stake below `minimumStakeWei` is none. `next` continues, null at the end."""

    owner: str
    minimum_stake_wei: str
    devices: list[OwnedDevice]
    next: str | None


class OwnedLeaf(Wire):
    """A posted leaf: a device's receipt in an epoch.

    `state` is committed, claimed, voided or returned; what a claim made of `amountWei` is null until then. Transactions
    are null while the chain's events have not told them.
    """

    epoch: int
    epoch_state: str
    final_at: int | None
    job_id: str
    device: str
    receipt_digest: str
    tasks: int
    wu: str
    amount_wei: str
    state: str
    attested: bool
    deduction_wei: str | None
    bonded_wei: str | None
    paid_wei: str | None
    post_tx: str | None
    end_tx: str | None


class OwnerEarnings(Wire):
    """Pay that is not claimed: accepted and not posted, posted in an epoch that is not final, final; then the leaves,
    newest first. `next` continues, null at the end."""

    owner: str
    accepted_wei: str
    posted_wei: str
    final_wei: str
    leaves: list[OwnedLeaf]
    next: int | None


@router.get("/{address}/devices", operation_id="listOwnedDevices")
def list_devices(
    address: OwnerPath,
    context: ContextDep,
    cursor: AfterDevice = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> OwnedDevices:
    """The devices that are bound to an owner, as this market sees them; empty for an owner whom it does not know."""
    owner, after = checksum_address(address), None if cursor is None else checksum_address(cursor)
    found = service.devices_of(context, owner, after, limit)
    return OwnedDevices(
        owner=owner,
        minimum_stake_wei=str(context.policy.minimum_stake),
        devices=[_device(one) for one in found],
        next=found[-1].address if len(found) == limit else None,
    )


@router.get("/{address}/earnings", operation_id="listEarnings")
def list_earnings(
    address: OwnerPath,
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> OwnerEarnings:
    """What an owner's devices have pending with this market, and their posted leaves. The chain tells the rest."""
    owner = checksum_address(address)
    pending = service.pending_of(context, owner)
    found = service.leaves_of(context, owner, cursor, limit)
    return OwnerEarnings(
        owner=owner,
        accepted_wei=str(pending.accepted),
        posted_wei=str(pending.posted),
        final_wei=str(pending.final),
        leaves=[_leaf(one) for one in found],
        next=found[-1].number if len(found) == limit else None,
    )


def _device(view: service.DeviceView) -> OwnedDevice:
    return OwnedDevice(
        address=view.address,
        health=view.health,
        refusal=view.refusal,
        seen_at=view.seen_at,
        stake_wei=str(view.stake),
        target_stake_wei=str(view.target_stake),
        average_task_wei=str(view.average_task),
        unfinal_wei=str(view.unfinal),
        accepted_wei=str(view.accepted),
        tasks_done=view.tasks_done,
        wu_done=str(view.wu_done),
        tasks_lost=view.tasks_lost,
        leases_expired=view.leases_expired,
        asked_wei_per_gwu=_maybe(view.asked_price),
        ns_per_wu=view.ns_per_wu,
        in_hand=None if view.in_hand is None else _in_hand(view.in_hand),
    )


def _in_hand(held: service.InHand) -> InHandBody:
    return InHandBody(
        job_id=held.job_id,
        lease_id=str(held.lease_id),
        program_id=held.program_id,
        program=held.program,
        tasks=held.tasks,
        price_wei_per_gwu=str(held.price),
        issued_at=held.issued_at,
        expires_at=held.expires_at,
    )


def _leaf(view: service.LeafView) -> OwnedLeaf:
    leaf, receipt, epoch = view.leaf, view.receipt, view.epoch
    assert epoch.epoch_id is not None
    return OwnedLeaf(
        epoch=epoch.epoch_id,
        epoch_state=epoch.state,
        final_at=epoch.final_at,
        job_id=leaf.job_id,
        device=leaf.device,
        receipt_digest=leaf.digest,
        tasks=receipt.count,
        wu=str(receipt.total_wu),
        amount_wei=str(receipt.amount),
        state=leaf.state,
        attested=leaf.attested,
        deduction_wei=_maybe(leaf.deduction),
        bonded_wei=_maybe(leaf.bonded),
        paid_wei=_maybe(leaf.paid),
        post_tx=view.post_tx,
        end_tx=view.end_tx,
    )


def _maybe(amount: int | None) -> str | None:
    return None if amount is None else str(amount)
