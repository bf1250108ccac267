"""Errors of the API as problem+json (RFC 9457), each with a stable code.

Problem
"""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from chain.errors import ChainError
from protocol.errors import ProtocolError
from protocol.wasm import Cause
from protocol.wasm.faults import MAX_FAULTS

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TEXT_MAX = 400
"""Most characters of a caller's own words in an answer."""


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
        """The JSON of the problem; texts are cut to TEXT_MAX, so that no request comes back whole in its error."""
        title = self.code.replace("_", " ").capitalize()
        base = {"type": f"urn:multitude:problem:{self.code}", "title": title, "status": self.status}
        members = {name: brief(value) if isinstance(value, str) else value for name, value in self.members.items()}
        return {**base, "code": self.code, "detail": brief(self.detail), **members}

    def response(self) -> JSONResponse:
        """The HTTP response."""
        return JSONResponse(self.body(), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def brief(text: str) -> str:
    """The text as it can be sent: not too long, and in UTF-8 whatever is in it."""
    cut = text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "..."
    return cut.encode(errors="backslashreplace").decode()


def not_found(what: str) -> Problem:
    """404 for a thing that is not there."""
    return Problem(404, "not_found", f"no such {what}")


_CODES = {
    400: "request_malformed",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
}


def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.response()


def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"at": brief(".".join(str(part) for part in item["loc"])), "message": brief(item["msg"])}
        for item in error.errors()[:20]
    ]
    return Problem(422, "request_invalid", "the request does not fit its schema", errors=errors).response()


def _on_protocol(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProtocolError)
    return Problem(422, "message_invalid", error.reason, kind=type(error).__name__).response()


def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    return Problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {})).response()


def _on_gone(_: Request, __: Exception) -> JSONResponse:
    return Problem(400, "request_malformed", "the body ended early").response()


def _on_data(request: Request, error: Exception) -> JSONResponse:
    log.error("data_refused", path=request.url.path, error=str(error).splitlines()[0])
    return Problem(422, "request_invalid", "a value that cannot be stored").response()


def _on_away(request: Request, error: Exception) -> JSONResponse:
    log.error("part_unavailable", path=request.url.path, error=str(error).splitlines()[0])
    what = "the chain" if isinstance(error, ChainError) else "the database"
    return Problem(503, "unavailable", f"{what} does not answer; try again", {"Retry-After": "2"}).response()


def _on_failure(request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return Problem(500, "internal", "the market failed; it has been logged").response()


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem, and documents them in its OpenAPI."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ProtocolError, _on_protocol)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_gone)
    app.add_exception_handler(DataError, _on_data)
    for away in (OperationalError, PoolTimeout, ChainError):
        app.add_exception_handler(away, _on_away)
    app.add_exception_handler(Exception, _on_failure)
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(plain())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


# --- what the OpenAPI says of errors

SCHEMA = {
    "title": "Problem",
    "description": "An error (RFC 9457). `code` is stable; some codes have members of their own.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"at": {"type": "string"}, "message": {"type": "string"}}},
        },
        "faults": {
            "type": "array",
            "maxItems": MAX_FAULTS,
            "description": "Of `module_refused`: what is wrong with the module, in the order found.",
            "items": {"$ref": "#/components/schemas/ModuleFault"},
        },
        "more": {"type": "integer", "description": "Of `module_refused`: faults that are not listed."},
    },
}
FAULT_SCHEMA = {
    "title": "ModuleFault",
    "description": "One reason why a module is not admitted. `cause` is stable, `message` is for people.",
    "type": "object",
    "required": ["cause", "function", "offset", "message"],
    "properties": {
        "cause": {"type": "string", "enum": [str(cause) for cause in Cause]},
        "function": {
            "type": ["string", "integer", "null"],
            "description": "The function at fault: its name, or its index where the module does not name it.",
        },
        "offset": {"type": "integer", "description": "The byte of the module."},
        "message": {"type": "string"},
    },
}
_ALWAYS = {
    405: "Another method",
    422: "What was sent does not fit, or may not be",
    429: "Too often; Retry-After says when to come back",
    431: "An address or headers that are too long",
    503: "Busy, or a part is away; Retry-After says when to come back",
}
_WITH_BODY = {400: "A body that cannot be read", 413: "A body that is too large"}
_WITH_PATH = {404: "There is no such thing"}
_WITH_SESSION = {401: "No session, or one that is over"}
_CHANGING = {
    401: "What proves who asks is missing, old or wrong",
    404: "Something named in it is not there",
    409: "It contradicts what is there",
}


def document(openapi: dict[str, Any]) -> dict[str, Any]:
    """The description with the problems that each operation may answer with."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {"Problem": SCHEMA, "ModuleFault": FAULT_SCHEMA}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            for status, description in sorted(_problems_of(path, method, operation).items()):
                known = responses.get(str(status), {}).get("description")
                described = description if known in (None, "Validation Error") else known
                schema = {"$ref": "#/components/schemas/Problem"}
                responses[str(status)] = {"description": described, "content": {MEDIA_TYPE: {"schema": schema}}}
    return openapi


def _problems_of(path: str, method: str, operation: dict[str, Any]) -> dict[int, str]:
    found = dict(_ALWAYS)
    if "requestBody" in operation:
        found |= _WITH_BODY
    if method in ("post", "put", "delete"):
        found |= _CHANGING
    if "security" in operation:
        found |= _WITH_SESSION
    if "{" in path:
        found |= _WITH_PATH
    return found
