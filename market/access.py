"""What endpoints depend on: the context, the calling device, and limits."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from market.context import Context
from market.problems import Problem
from market.sessions.service import device_of_token
from market.wake import Waiters

bearer = HTTPBearer(auto_error=False, scheme_name="deviceSession", description="token of POST /v1/sessions")


def context_of(request: Request) -> Context:
    """The process's context."""
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


def waiters_of(request: Request) -> Waiters:
    """The process's waiting requests."""
    found = request.app.state.waiters
    assert isinstance(found, Waiters)
    return found


def maybe_device(
    context: Annotated[Context, Depends(context_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str | None:
    """The device of the session, None without one; Problem 401 for a token that is unknown or over."""
    return None if credentials is None else device_of_token(context, credentials.credentials)


def device(found: Annotated[str | None, Depends(maybe_device)]) -> str:
    """The device of the session; Problem 401 without one."""
    if found is None:
        raise Problem(401, "unauthorized", "a device session is needed", {"WWW-Authenticate": "Bearer"})
    return found


def limited(kind: str) -> Callable[[Request], None]:
    """A dependency that counts the call against its kind's limit."""

    def check(request: Request) -> None:
        context_of(request).limits.check(request, kind)

    return check


ContextDep = Annotated[Context, Depends(context_of)]
WaitersDep = Annotated[Waiters, Depends(waiters_of)]
DeviceDep = Annotated[str, Depends(device)]
MaybeDeviceDep = Annotated[str | None, Depends(maybe_device)]
