"""Signing in with Ethereum (EIP-4361): a message asked for, signed once, exchanged for a token."""

import secrets
from urllib.parse import urlsplit

from siwe import InvalidSignature, ISO8601Datetime, SiweMessage, VerificationError, generate_nonce
from sqlalchemy import delete
from sqlalchemy.orm import Session

from market.context import Context
from market.db import remove
from market.people.models import Challenge, PersonSession
from market.problems import Problem
from market.sessions.service import hash_token
from market.signatures import is_signed_by
from protocol.encoding import to_hex
from protocol.hashing import keccak256

STATEMENT = "Sign in to this Multitude market. It costs nothing and moves nothing."
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def challenge(context: Context, address: str) -> tuple[str, int]:
    """A message for this (checksummed) address to sign, and when it is over in Unix seconds."""
    expires_at = context.moment(context.settings.challenge_seconds)
    nonce = generate_nonce()
    message = SiweMessage(
        domain=_domain(context),
        address=address,
        statement=STATEMENT,
        uri=_uri(context),
        version="1",
        chain_id=context.domain.chain_id,
        nonce=nonce,
        issued_at=ISO8601Datetime.from_datetime(context.moment()),
        expiration_time=ISO8601Datetime.from_datetime(expires_at),
    ).prepare_message()
    with context.transaction() as session:
        session.add(Challenge(message_hash=_hash(message), nonce=nonce, address=address, expires_at=expires_at))
    return message, int(expires_at.timestamp())


def sign_in(context: Context, message: str, signature: str) -> tuple[str, PersonSession]:
    """A token and its session for a signed message of ours, which is used up.

    Problem 401 `challenge_unknown` (never given, used, or of another text), `sign_in_expired`, `sign_in_mismatch`,
    `signature_invalid`.
    """
    with context.sessions() as session:
        given = session.get(Challenge, _hash(message))
    if given is None:
        raise _refused("challenge_unknown", "no such message was given, or it was used")
    if given.expires_at <= context.moment():
        raise _refused("sign_in_expired", "the time to sign is over: ask for another message")
    _check(context, message, signature, given)
    token = secrets.token_urlsafe(32)
    made = PersonSession(
        token_hash=hash_token(token),
        address=given.address,
        expires_at=context.moment(context.settings.person_session_seconds),
    )
    with context.transaction() as session:
        if remove(session, delete(Challenge).where(Challenge.message_hash == given.message_hash)) != 1:
            raise _refused("challenge_unknown", "the message was used")
        session.add(made)
    return token, made


def person_of_token(context: Context, token: str) -> PersonSession:
    """The session of a token. Problem 401 where it is none, or over."""
    with context.sessions() as session:
        row = session.get(PersonSession, hash_token(token))
    if row is None or row.expires_at <= context.moment():
        raise Problem(401, "session_expired", "nobody is signed in with this token", _CHALLENGE)
    return row


def sign_out(context: Context, person: PersonSession) -> None:
    """Ends a session."""
    with context.transaction() as session:
        session.execute(delete(PersonSession).where(PersonSession.token_hash == person.token_hash))


def forget_old(context: Context, session: Session) -> int:
    """Deletes sessions and messages that are over; how many."""
    gone = 0
    for table in (PersonSession, Challenge):
        gone += remove(session, delete(table).where(table.expires_at <= context.moment()))
    return gone


def _check(context: Context, message: str, signature: str, given: Challenge) -> None:
    """The message is for this market, its chain and the address that asked, and that address signed it."""
    parsed = SiweMessage.from_message(message)
    if parsed.address != given.address:
        raise _refused("sign_in_mismatch", "the message is of another address")
    try:
        parsed.verify(
            signature,
            strict=True,
            domain=_domain(context),
            uri=_uri(context),
            chain_id=context.domain.chain_id,
            nonce=given.nonce,
            timestamp=context.moment(),
        )
    except InvalidSignature:
        if not is_signed_by(context, _digest(message), bytes.fromhex(signature[2:]), given.address):
            raise _refused("signature_invalid", "the address did not sign this message") from None
    except VerificationError as error:
        raise _refused("sign_in_mismatch", f"the message is not for this market: {type(error).__name__}") from None


def _digest(message: str) -> bytes:
    """What personal_sign signs (EIP-191)."""
    data = message.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n%d" % len(data) + data)


def _hash(message: str) -> str:
    return to_hex(keccak256(message.encode()))


def _domain(context: Context) -> str:
    return urlsplit(context.settings.public_url).netloc


def _uri(context: Context) -> str:
    return context.settings.public_url.rstrip("/")


def _refused(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, _CHALLENGE)
