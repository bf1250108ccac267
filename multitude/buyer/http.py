"""HTTP to a market that is not trusted: https or loopback only, no redirects, bounded answers, polite repeats.

Bounds of one request: JSON_BYTES_MAX or what the caller says, counted after decoding; REQUEST_S for a try, BLOB_S where
blobs are sent; TRIES tries. A market that asks to wait (429, 503 with Retry-After) is waited for, at most WAIT_MOST_S.
"""

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2

from multitude.errors import ApiHostile, ApiRefused, ApiUnreachable, refusal

JSON_BYTES_MAX = 8 << 20
RESULTS_BYTES_MAX = 32 << 20
BLOB_BYTES_MAX = 64 << 20
EVENT_BYTES_MAX = 1 << 20
REQUEST_S = 60.0
BLOB_S = 240.0
TRIES = 3
WAIT_FIRST_S = 0.1
WAIT_MOST_S = 60.0
PLAIN = {"accept-encoding": "identity"}
SILENCE_S = 45.0
"""An event stream has a comment every 15 seconds."""


class Answer(NamedTuple):
    """A status and the whole body."""

    status: int
    body: bytes


def check_url(url: str) -> str:
    """The address without a slash at its end. Raises ApiHostile unless it is https, or http to this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ApiHostile(f"{url!r} is no http address")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ApiHostile(f"{url}: plain http goes to this machine only; use https")
    return url.rstrip("/")


class Connection:
    """Requests to one address. `timeout` in seconds for each silence. Raises ApiUnreachable, ApiRefused, ApiHostile."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url = check_url(url)
        self._http = httpx2.AsyncClient(base_url=self.url, timeout=timeout, follow_redirects=False, headers=PLAIN)

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def send(
        self, method: str, path: str, *, accept: tuple[int, ...] = (), most: int = JSON_BYTES_MAX, **request: Any
    ) -> Answer:
        """The answer to a request that may be repeated; `accept` are statuses beside 2xx that are no error."""
        waited, tries = 0.0, 0
        while True:
            tries += 1
            try:
                answer, wait = await self._once(method, path, most, request)
            except ApiUnreachable:
                if tries == TRIES:
                    raise
                await asyncio.sleep(WAIT_FIRST_S * 3**tries)
                continue
            if 200 <= answer.status < 300 or answer.status in accept:
                return answer
            if wait is None or waited + wait > WAIT_MOST_S:
                raise _problem(answer)
            waited += wait
            await asyncio.sleep(wait)

    async def json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The object that a request is answered with."""
        answer = await self.send(method, path, **request)
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise ApiHostile(f"{method} {path}: the answer is no JSON") from error
        if not isinstance(value, dict):
            raise ApiHostile(f"{method} {path}: the answer is no object")
        return value

    @asynccontextmanager
    async def events(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[httpx2.EventSource | None]:
        """An open stream of events, None where the market says that nothing follows."""
        timeout = httpx2.Timeout(30.0, read=SILENCE_S)
        try:
            async with self._http.sse(
                path, headers=dict(headers), timeout=timeout, max_event_size=EVENT_BYTES_MAX
            ) as source:
                if source.response.status_code == httpx2.codes.NO_CONTENT:
                    yield None
                    return
                if not source.response.is_success:
                    body = await _bounded(source.response, JSON_BYTES_MAX)
                    raise _problem(Answer(source.response.status_code, body))
                yield source
        except httpx2.HTTPError as error:
            raise ApiUnreachable(f"GET {self.url}{path}: {error!r}") from error

    async def _once(self, method: str, path: str, most: int, request: Any) -> tuple[Answer, float | None]:
        try:
            limit_s = REQUEST_S if most <= JSON_BYTES_MAX and "content" not in request else BLOB_S
            async with asyncio.timeout(limit_s), self._http.stream(method, path, **request) as response:
                body = await _bounded(response, most)
                return Answer(response.status_code, body), _pause(response)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise ApiUnreachable(f"{method} {self.url}{path}: {error!r}") from error


async def _bounded(response: httpx2.Response, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            raise ApiHostile(f"{response.request.url}: an answer of more than {most} bytes")
    return bytes(body)


def _pause(response: httpx2.Response) -> float | None:
    """Seconds that the market asks to wait before the request is sent again, None where it does not."""
    if response.status_code not in (429, 503):
        return None
    text = response.headers.get("retry-after", "1")
    return max(0.1, float(text)) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _problem(answer: Answer) -> ApiRefused | ApiHostile:
    if 300 <= answer.status < 400:
        return ApiHostile(f"the market answers with a redirect ({answer.status})")
    try:
        value = json.loads(answer.body)
        code, detail = _shown(value["code"], 100), _shown(value.get("detail", ""), 500)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return refusal(answer.status, "no_problem", _shown(answer.body[:800].decode("utf-8", "replace"), 200))
    return refusal(answer.status, code, detail, {k: v for k, v in value.items() if k not in ("code", "detail")})


def _shown(text: object, most: int) -> str:
    """A market's words, fit for a terminal."""
    return "".join(char for char in str(text)[:most] if char.isprintable())


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
