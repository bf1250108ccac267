"""Endpoints of signing in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from market.access import ContextDep, PersonDep, limited
from market.guard import StrictRoute
from market.people import service
from market.wire import AddressHex, LongSignatureHex, Wire
from protocol.encoding import checksum_address

router = APIRouter(prefix="/v1/sign-in", tags=["people"], route_class=StrictRoute)


class ChallengeRequest(Wire):
    """Who wants to sign in."""

    address: AddressHex


class ChallengeBody(Wire):
    """An EIP-4361 message to be signed as it is (personal_sign), once, before `expiresAt` (Unix seconds)."""

    message: str
    expires_at: int


class SignInRequest(Wire):
    """The message with its signature, of a key or of a contract wallet (EIP-1271)."""

    message: Annotated[str, Field(min_length=1, max_length=2_000)]
    signature: LongSignatureHex


class SignedIn(Wire):
    """Who is signed in, until when (Unix seconds)."""

    address: str
    expires_at: int


class PersonToken(SignedIn):
    """A person's bearer token."""

    token: str


@router.post("/challenge", operation_id="askToSignIn", dependencies=[Depends(limited("challenge"))])
def ask_to_sign_in(request: ChallengeRequest, context: ContextDep) -> ChallengeBody:
    """A message for the address to sign: it names this market, its chain and a nonce, and is good once."""
    message, expires_at = service.challenge(context, checksum_address(request.address))
    return ChallengeBody(message=message, expires_at=expires_at)


@router.post("", operation_id="signIn", dependencies=[Depends(limited("sign_in"))])
def sign_in(request: SignInRequest, context: ContextDep) -> PersonToken:
    """Exchange a signed message for a token. 401 `challenge_unknown`, `sign_in_expired`, `signature_invalid`."""
    token, made = service.sign_in(context, request.message, request.signature)
    return PersonToken(token=token, address=made.address, expires_at=int(made.expires_at.timestamp()))


@router.get("", operation_id="whoAmI")
def who_am_i(person: PersonDep) -> SignedIn:
    """Who is signed in with the token."""
    return SignedIn(address=person.address, expires_at=int(person.expires_at.timestamp()))


@router.delete("", status_code=204, operation_id="signOut", response_class=Response)
def sign_out(person: PersonDep, context: ContextDep) -> Response:
    """End the session of the token."""
    service.sign_out(context, person)
    return Response(status_code=204)
