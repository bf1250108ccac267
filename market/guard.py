"""Outer layers of the app: how often and how much a caller may send, bodies read strictly, ids in logs, headers."""

import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import structlog
from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.limits import RateLimits, caller_of
from market.problems import Problem

REQUESTS = Histogram("market_request_seconds", "Seconds for each request", ("method", "route", "status"))
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]

HEAD_BYTES_MAX = 16 << 10
HEADERS_MAX = 100
SMALL_BODY_BYTES = 256 << 10
"""Most bytes of a JSON body, unless it holds a lease's results."""
JSON_DEPTH_MAX = 32


class BodyInvalid(ValueError):
    """A body that is not JSON as this service reads it; the message says why."""


def strict_json(body: bytes) -> Any:
    """The value of a JSON body. BodyInvalid where two readers might differ on it, or where it could not be stored.

    That is: other encodings than UTF-8, NaN and infinities, a name twice in an object, NUL, half of a surrogate pair,
    more than JSON_DEPTH_MAX levels.
    """
    try:
        text = body.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
        if "\\u0000" in text:
            raise BodyInvalid("a text with NUL")
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeError, RecursionError):
        raise BodyInvalid("no text of JSON in UTF-8, or nested too deeply") from None
    except BodyInvalid:
        raise
    except ValueError as error:
        raise BodyInvalid(f"no JSON: {error}") from None
    _check_depth(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BodyInvalid("a name twice in one object")
    return made


def _refuse(constant: str) -> Any:
    raise BodyInvalid(f"{constant} is no number of JSON")


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if depth > JSON_DEPTH_MAX:
            raise BodyInvalid(f"nested more than {JSON_DEPTH_MAX} deep")
        depth += 1
        inner = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [part for parts in inner for part in parts if isinstance(part, dict | list)]


class StrictRequest(Request):
    """A request whose JSON is read by `strict_json`."""

    async def json(self) -> Any:
        """The body's value; HTTPException 400 where it is none."""
        try:
            return strict_json(await self.body())
        except BodyInvalid as error:
            raise HTTPException(400, str(error)) from None


class StrictRoute(APIRoute):
    """The route class of every router of the API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint over a StrictRequest."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


class HeldStream(StreamingResponse):
    """A stream that holds places for as long as it is sent, and ends after `seconds`: its client resumes."""

    def __init__(self, parts: AsyncIterator[bytes], held: ExitStack, seconds: float, **options: Any) -> None:
        super().__init__(_until(parts, seconds), **options)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the stream, then gives the places back, whatever happened."""
        with self._held:
            await super().__call__(scope, receive, send)


async def _until(parts: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    end = time.monotonic() + seconds
    async for part in parts:
        yield part
        if time.monotonic() > end:
            return


class Admission:
    """Refuses callers that come too often or with too long a head, before anything of their request's body is read."""

    def __init__(self, app: ASGIApp, limits: Callable[[], RateLimits]) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts one request."""
        if scope["type"] == "http":
            try:
                _check_head(scope)
                self._limits().check_any(caller_of(scope))
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _check_head(scope: Scope) -> None:
    """Problem 431; h11 bounds a head only while it waits for the rest of it."""
    headers = scope["headers"]
    size = len(scope.get("raw_path") or b"") + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in headers)
    if size > HEAD_BYTES_MAX or len(headers) > HEADERS_MAX:
        detail = f"more than {HEADERS_MAX} headers or {HEAD_BYTES_MAX} bytes of address and headers"
        raise Problem(431, "head_too_large", detail)


class BodyLimit:
    """Refuses bodies past a limit while they arrive; blobs have limits of their own.

    A lease's results may have `limit` bytes, everything else SMALL_BODY_BYTES.
    """

    def __init__(self, app: ASGIApp, limit: int, exempt: str, large: str) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt
        self._large = large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what is received."""
        if scope["type"] != "http" or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        limit = self._limit if scope["path"].endswith(self._large) else min(self._limit, SMALL_BODY_BYTES)
        problem = Problem(413, "body_too_large", f"more than {limit} bytes")
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            await problem.response()(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise HTTPException(413, problem.detail)  # FastAPI would call anything else a malformed body
            return message

        await self._app(scope, counted, send)


class RequestLog:
    """Binds a request id to the logs of a request, answers with it, measures it, and adds headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wraps one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = uuid4().hex[:16], time.monotonic(), 500

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *HEADERS]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id, path=scope["path"][:200]):
            try:
                await self._app(scope, receive, marked)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                method = scope["method"] if scope["method"] in METHODS else "other"  # a caller invents them at will
                REQUESTS.labels(method, route, status).observe(time.monotonic() - started)
