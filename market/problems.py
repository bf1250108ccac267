"""Errors of the API as problem+json (RFC 9457), each with a stable code.

Problem
"""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from protocol.errors import ProtocolError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """What a caller did wrong or must know: HTTP status, stable code, a sentence, and members of its own."""

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.members = members

    def body(self) -> dict[str, Any]:
        """The JSON of the problem."""
        title = self.code.replace("_", " ").capitalize()
        base = {"type": f"urn:multitude:problem:{self.code}", "title": title, "status": self.status}
        return {**base, "code": self.code, "detail": self.detail, **self.members}

    def response(self) -> JSONResponse:
        """The HTTP response."""
        return JSONResponse(self.body(), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """404 for a thing that is not there."""
    return Problem(404, "not_found", f"no such {what}")


_CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.response()


def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"at": ".".join(str(part) for part in item["loc"]), "message": item["msg"]} for item in error.errors()[:20]
    ]
    return Problem(422, "request_invalid", "the request does not fit its schema", errors=errors).response()


def _on_protocol(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProtocolError)
    return Problem(422, "message_invalid", error.reason, kind=type(error).__name__).response()


def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    return Problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {})).response()


def _on_database(request: Request, error: Exception) -> JSONResponse:
    log.error("database_unavailable", path=request.url.path, error=str(error).splitlines()[0])
    return Problem(503, "unavailable", "the database does not answer; try again", {"Retry-After": "2"}).response()


def _on_failure(request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return Problem(500, "internal", "the market failed; it has been logged").response()


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ProtocolError, _on_protocol)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(OperationalError, _on_database)
    app.add_exception_handler(Exception, _on_failure)
