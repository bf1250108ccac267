"""What endpoints depend on: the context, the calling device or person, and limits."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from market.context import Context
from market.limits import caller_of
from market.people.models import PersonSession
from market.people.service import person_of_token
from market.problems import Problem
from market.sessions.service import device_of_token
from market.wake import Waiters

bearer = HTTPBearer(auto_error=False, scheme_name="deviceSession", description="token of POST /v1/sessions")

personal = HTTPBearer(auto_error=False, scheme_name="personSession", description="token of POST /v1/sign-in")


async def context_of(request: Request) -> Context:
    """The process's context. Asynchronous, like `waiters_of`, because FastAPI gives every other dependency a thread."""
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


async def waiters_of(request: Request) -> Waiters:
    """The process's waiting requests."""
    found = request.app.state.waiters
    assert isinstance(found, Waiters)
    return found


def has_session(
    context: Annotated[Context, Depends(context_of)],
    of_device: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    of_person: Annotated[HTTPAuthorizationCredentials | None, Depends(personal)],
) -> bool:
    """True with a session of a device or of a person; Problem 401 for a token that is neither's, or over."""
    if of_device is None or of_person is None:
        return False
    try:
        device_of_token(context, of_device.credentials)
    except Problem:
        person_of_token(context, of_person.credentials)
    return True


def device(
    context: Annotated[Context, Depends(context_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str:
    """The device of the session; Problem 401 without one, or with one that is over."""
    if credentials is None:
        raise Problem(401, "unauthorized", "a device session is needed", {"WWW-Authenticate": "Bearer"})
    return device_of_token(context, credentials.credentials)


def person(
    context: Annotated[Context, Depends(context_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(personal)],
) -> PersonSession:
    """The person's session; Problem 401 without one."""
    if credentials is None:
        raise Problem(401, "unauthorized", "sign in first", {"WWW-Authenticate": "Bearer"})
    return person_of_token(context, credentials.credentials)


def limited(kind: str) -> Callable[[Request, Context], None]:
    """A dependency that counts the call against its kind's limit."""

    def check(request: Request, context: Annotated[Context, Depends(context_of)]) -> None:
        context.limits.check(request, kind)

    return check


def occupied(kind: str) -> Callable[[Request, Context], AsyncIterator[None]]:
    """A dependency (scope "function") that holds one of the kind's places while the endpoint works."""

    async def hold(request: Request, context: Annotated[Context, Depends(context_of)]) -> AsyncIterator[None]:
        with context.places.place(kind, caller_of(request.scope)):
            yield

    return hold


ContextDep = Annotated[Context, Depends(context_of)]
WaitersDep = Annotated[Waiters, Depends(waiters_of)]
DeviceDep = Annotated[str, Depends(device)]
PersonDep = Annotated[PersonSession, Depends(person)]
HasSessionDep = Annotated[bool, Depends(has_session)]
