"""Binding devices through the outbox, opening sessions, and what the market knows of a device."""

import secrets

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chain.errors import ChainError
from market.context import Context
from market.db import remove
from market.leases.models import UNFINAL, Receipt
from market.problems import Problem
from market.sessions.models import Device, DeviceSession
from market.settlement.gateway import Call
from protocol import messages
from protocol.encoding import to_hex
from protocol.hashing import keccak256

ISSUED_WITHIN_SECONDS = 60
SESSIONS_KNOWN = 10_000


def hash_token(token: str) -> str:
    """What is stored of a token."""
    return to_hex(keccak256(token.encode()))


def device_row(session: Session, address: str, *, lock: bool = False) -> Device:
    """The row of a device, made where it is missing."""
    session.execute(insert(Device).values(address=address).on_conflict_do_nothing())
    query = select(Device).where(Device.address == address)
    return session.scalars(query.with_for_update() if lock else query).one()


def refresh_device(context: Context, session: Session, address: str) -> Device:
    """The row of a device after reading its standing from the chain."""
    facts = context.chain.device(address)
    row = device_row(session, address)
    row.owner, row.stake, row.open_games = facts.owner, facts.stake, facts.open_games
    row.convicted = row.convicted or facts.convicted
    return row


def bind(context: Context, binding: messages.Binding, device_signature: bytes, owner_signature: bytes) -> None:
    """Relays a binding that both signed; nothing to do where it is bound so. Problem 409 where it has another owner."""
    binding.check_signature(context.domain, device_signature, binding.device)
    binding.check_signature(context.domain, owner_signature, binding.owner)
    with context.transaction() as session:
        row = refresh_device(context, session, binding.device)
        if row.owner == binding.owner:
            return
        if row.owner is not None or row.asked_owner not in (None, binding.owner):
            raise Problem(409, "device_bound", "the device is bound to another owner, for good")
        row.asked_owner = binding.owner
        args = (binding.device, binding.owner, device_signature, owner_signature)
        context.chain.enqueue(session, Call("bind", binding.device, "StakeVault", "bind", args))


def open_session(context: Context, message: messages.Session, signature: bytes) -> tuple[str, int]:
    """A token and when it ends in Unix seconds. Problem 401 for a stale message, 409 for a nonce used before."""
    message.check_signature(context.domain, signature, message.device)
    now = context.now()
    if abs(now - message.issued_at) > ISSUED_WITHIN_SECONDS:
        raise Problem(401, "session_stale", f"issuedAt is not within {ISSUED_WITHIN_SECONDS} s of {int(now)}")
    token = secrets.token_urlsafe(32)
    expires_at = context.moment(context.settings.session_seconds)
    with context.transaction() as session:
        refresh_device(context, session, message.device)
        values = {"token_hash": hash_token(token), "device": message.device, "nonce": to_hex(message.nonce)}
        made = session.execute(
            insert(DeviceSession)
            .values(**values, expires_at=expires_at)
            .on_conflict_do_nothing(index_elements=["device", "nonce"])
            .returning(DeviceSession.token_hash)
        ).first()
        if made is None:
            raise Problem(409, "nonce_used", "this nonce has opened a session before")
    return token, int(expires_at.timestamp())


def device_of_token(context: Context, token: str) -> str:
    """The device whose session this is. Problem 401 where it is none, or over.

    A session never changes until it is over, so the process remembers those that it has seen.
    """
    known, name = context.known_sessions, hash_token(token)
    row = known.get(name)
    if row is None:
        with context.sessions() as session:
            row = session.get(DeviceSession, name)
    if row is None or row.expires_at <= context.moment():
        raise Problem(401, "session_expired", "no such session, or it is over", {"WWW-Authenticate": "Bearer"})
    if len(known) >= SESSIONS_KNOWN:
        known.clear()
    known[name] = row
    return row.device


def forget_old(context: Context, session: Session) -> int:
    """Removes sessions whose nonce cannot be used again anyway; how many."""
    limit = context.moment(-2 * ISSUED_WITHIN_SECONDS)
    return remove(session, delete(DeviceSession).where(DeviceSession.expires_at < limit))


def unfinal_wei(session: Session, address: str) -> int:
    """Pay of a device that was accepted and is neither claimed nor lost yet, in wei."""
    query = select(func.coalesce(func.sum(Receipt.amount), 0)).where(
        Receipt.device == address, Receipt.state.in_(UNFINAL)
    )
    return int(session.scalar(query) or 0)


def device_view(context: Context, address: str) -> tuple[Device, int]:
    """A device with its unfinal pay in wei, as fresh as the chain answers. Problem 404 where nobody knows it."""
    with context.transaction() as session:
        if session.get(Device, address) is None:
            raise Problem(404, "not_found", "no such device")
        try:
            row = refresh_device(context, session, address)
        except ChainError:
            row = device_row(session, address)
        return row, unfinal_wei(session, address)
