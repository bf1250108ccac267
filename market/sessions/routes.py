"""Endpoints of devices and sessions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from market.access import ContextDep, limited
from market.guard import StrictRoute
from market.sessions import service
from market.wire import BindingField, SessionField, SignatureHex, Wire
from protocol.encoding import checksum_address, from_hex

router = APIRouter(prefix="/v1", tags=["devices"], route_class=StrictRoute)

AddressPath = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{40}$")]


class BindRequest(Wire):
    """A binding signed by the device and by its owner."""

    binding: BindingField
    device_signature: SignatureHex
    owner_signature: SignatureHex


class Accepted(BaseModel):
    """The market has it; the chain may take some blocks."""

    accepted: bool = True


class DeviceBody(BaseModel):
    """A device; money in wei as decimal strings."""

    address: str
    owner: str | None
    stake_wei: str
    bound: bool
    convicted: bool
    unfinal_wei: str


class SessionRequest(Wire):
    """A session message signed by the device."""

    session: SessionField
    signature: SignatureHex


class SessionBody(Wire):
    """A bearer token and when it ends, Unix seconds."""

    token: str
    expires_at: int


@router.post("/devices", status_code=202, operation_id="bindDevice", dependencies=[Depends(limited("device"))])
def bind_device(request: BindRequest, context: ContextDep) -> Accepted:
    """Bind a device to its owner, for good. Repeating it changes nothing; `device_bound` for another owner."""
    signatures = from_hex(request.device_signature), from_hex(request.owner_signature)
    service.bind(context, request.binding, *signatures)
    return Accepted()


@router.get("/devices/{address}", operation_id="getDevice")
def get_device(address: AddressPath, context: ContextDep) -> DeviceBody:
    """A device as the chain shows it, with the pay that it may still lose."""
    row, unfinal = service.device_view(context, checksum_address(address))
    return DeviceBody(
        address=row.address,
        owner=row.owner,
        stake_wei=str(row.stake),
        bound=row.owner is not None,
        convicted=row.convicted,
        unfinal_wei=str(unfinal),
    )


@router.post("/sessions", operation_id="openSession", dependencies=[Depends(limited("session"))])
def open_session(request: SessionRequest, context: ContextDep) -> SessionBody:
    """Open a device session. `session_stale` when issuedAt is off by more than 60 s, `nonce_used` on a replay."""
    token, expires_at = service.open_session(context, request.session, from_hex(request.signature))
    return SessionBody(token=token, expires_at=expires_at)
