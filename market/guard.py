"""Outer layers of the app: a limit on bodies, ids in logs, security headers."""

import time
from uuid import uuid4

import structlog
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.problems import Problem

REQUESTS = Histogram("market_request_seconds", "Seconds for each request", ("method", "route", "status"))
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class BodyLimit:
    """Refuses bodies past a limit while they arrive; blobs have limits of their own."""

    def __init__(self, app: ASGIApp, limit: int, exempt: str) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what is received."""
        if scope["type"] != "http" or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        problem = Problem(413, "body_too_large", f"more than {self._limit} bytes")
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._limit:
            await problem.response()(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
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

        with structlog.contextvars.bound_contextvars(request=request_id, path=scope["path"]):
            try:
                await self._app(scope, receive, marked)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                REQUESTS.labels(scope["method"], route, status).observe(time.monotonic() - started)
