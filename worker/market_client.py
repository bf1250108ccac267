"""A market over HTTPS, outbound only: what the agent needs of it, and the client that speaks market/openapi.json.

The market is not trusted: every call has a time for the whole of it, every answer a size, no redirect is followed, no
encoding but the plain one is taken, and what it says is cleaned before anybody reads it.
"""

import asyncio
import base64
import ipaddress
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2

from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.errors import ProtocolError
from protocol.merkle import TaskResult
from protocol.messages import Binding, Receipt, Session
from worker.errors import LeaseRefused, MarketRefused, MarketUnreachable, SessionRefused, SettingsInvalid
from worker.facts import result_to_row
from worker.grants import Grant, LeaseKey, Network

ANSWER_BYTES_MAX = 8 << 20
PROBLEM_BYTES_MAX = 64 << 10
TEXT_MAX = 500
TOKEN_MAX = 4096
TIMEOUT_S = 15.0
INLINE_BYTES_MAX = 64 << 10
"""Outputs of so few bytes travel with the results."""
BLOB_TIMEOUT_S = 120.0
"""For the whole of a blob, up or down."""
RETRY_AFTER_MAX_S = 60.0
FIRST_URL_AGAIN_S = 300.0
"""The first URL is tried again, with the next session, when it failed so long ago."""


@dataclass(frozen=True)
class Submission:
    """A lease's results in task order, the blob id of their outputs, the signed receipt over them; `blob` is the bytes
    of the outputs, where they come along."""

    results: tuple[TaskResult, ...]
    outputs: bytes
    receipt: Receipt
    signature: bytes
    blob: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """As the market takes it."""
        data = {} if self.blob is None else {"outputsData": base64.b64encode(self.blob).decode()}
        return {
            "results": [result_to_row(result) for result in self.results],
            "outputs": to_hex(self.outputs),
            "receipt": self.receipt.to_json(),
            "signature": to_hex(self.signature),
            **data,
        }


class MarketApi(Protocol):
    """What a device asks of a market. Every method raises MarketUnreachable, SessionRefused or MarketRefused."""

    async def network(self) -> Network:
        """The network that the market is on."""
        ...

    async def open_session(self, session: Session, signature: bytes) -> float:
        """Opens a session for the calls below; returns when it ends, in Unix seconds."""
        ...

    async def bind(self, binding: Binding, device_signature: bytes, owner_signature: bytes) -> None:
        """Has the device bound to its owner on chain; nothing happens if it is."""
        ...

    async def put_offer(self, offer: Mapping[str, Any]) -> None:
        """Puts up what the device asks (`Policy.offer`)."""
        ...

    async def next_lease(self, wait_s: int) -> Grant | None:
        """A lease, or None when the market has none within that time."""
        ...

    async def heartbeat(self, key: LeaseKey) -> None:
        """Says that the lease is being worked on."""
        ...

    async def release(self, key: LeaseKey) -> None:
        """Gives a lease back."""
        ...

    async def submit(self, key: LeaseKey, work: Submission, *, wants_next: bool = False) -> Grant | None:
        """Hands in a lease's work; the next lease where one is wanted and the market has one at once."""
        ...

    async def get_blob(self, name: bytes, limit_bytes: int) -> bytes:
        """The bytes served under that id, not checked; LeaseRefused where there are none or too many."""
        ...

    async def put_blob(self, blob: bytes) -> None:
        """Uploads a blob under its id."""
        ...

    async def aclose(self) -> None:
        """Ends all connections."""
        ...


def check_url(url: str) -> str:
    """The URL without its last slash; SettingsInvalid unless it is https, or plain http to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingsInvalid("a market's URL that is none") from None
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return url.rstrip("/")
    raise SettingsInvalid(f"{url}: a market is reached over https, over plain http only on this machine")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HttpMarket:
    """The market behind one of several URLs: when one does not answer, the next is tried with the next call."""

    def __init__(
        self,
        urls: Sequence[str],
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """SettingsInvalid for no URL, or one that is neither https nor loopback."""
        if not urls:
            raise SettingsInvalid("no market URL")
        self._urls = [check_url(url) for url in urls]
        self._at = 0
        self._clock = clock
        self._failed_at = -math.inf
        self._token = ""
        self._blobs = ""
        never_proxied: dict[str, httpx2.AsyncBaseTransport | None] = {} if transport else {"http://": None}
        plain = {"Accept-Encoding": "identity"}
        self._http = httpx2.AsyncClient(
            timeout=TIMEOUT_S, mounts=never_proxied, transport=transport, headers=plain, follow_redirects=False
        )

    @property
    def url(self) -> str:
        """The URL in use."""
        return self._urls[self._at]

    async def network(self) -> Network:
        """The network that the market is on; its blobs are fetched from where it says.

        Asked at every new session: the first URL is given another try then, where it failed long ago.
        """
        if self._at and self._clock() - self._failed_at >= FIRST_URL_AGAIN_S:
            self._at, self._token = 0, ""
        answer = await self._json("GET", "/v1/network")
        try:
            network = Network.from_json(answer)
            self._blobs = _check_blobs(network.blobs_url, self.url)
        except (ProtocolError, SettingsInvalid) as error:
            raise self._lost(f"{self.url} describes no network: {error.reason}") from error
        return network

    async def open_session(self, session: Session, signature: bytes) -> float:
        """Opens a session; returns when it ends, in Unix seconds."""
        self._token = ""
        body = {"session": session.to_json(), "signature": to_hex(signature)}
        answer = await self._json("POST", "/v1/sessions", body)
        try:
            token, expires_at = answer["token"], float(answer["expiresAt"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._lost(f"{self.url} opens no session: {error!r}") from error
        if not _is_token(token) or not math.isfinite(expires_at):
            raise self._lost(f"{self.url} opens no session: its token or its end is none")
        self._token = token
        return expires_at

    async def bind(self, binding: Binding, device_signature: bytes, owner_signature: bytes) -> None:
        """Has the device bound to its owner on chain."""
        signatures = {"deviceSignature": to_hex(device_signature), "ownerSignature": to_hex(owner_signature)}
        await self._json("POST", "/v1/devices", {"binding": binding.to_json(), **signatures})

    async def put_offer(self, offer: Mapping[str, Any]) -> None:
        """Puts up what the device asks."""
        await self._json("PUT", "/v1/offers", offer)

    async def next_lease(self, wait_s: int) -> Grant | None:
        """A lease, or None when the market has none within that time."""
        answer = await self._json("POST", f"/v1/leases/next?wait={wait_s}", timeout_s=wait_s + TIMEOUT_S)
        if answer is None:
            return None
        try:
            return Grant.from_json(answer)
        except ProtocolError as error:
            raise self._lost(f"{self.url} sent a malformed lease: {error.reason}") from error

    async def heartbeat(self, key: LeaseKey) -> None:
        """Says that the lease is being worked on."""
        await self._json("POST", f"{_path(key)}/heartbeat")

    async def release(self, key: LeaseKey) -> None:
        """Gives a lease back."""
        await self._json("POST", f"{_path(key)}/release")

    async def submit(self, key: LeaseKey, work: Submission, *, wants_next: bool = False) -> Grant | None:
        """Hands in a lease's work; the next lease where one is wanted and the market has one at once.

        A next lease that makes no sense is none: the results are accepted all the same.
        """
        answer = await self._json("POST", f"{_path(key)}/results", work.to_json() | {"next": wants_next})
        if not isinstance(answer, Mapping) or answer.get("accepted") is not True:
            raise MarketUnreachable(f"{self.url} does not say that it accepted the results")
        if not wants_next or answer.get("next") is None:
            return None
        try:
            return Grant.from_json(answer["next"])
        except ProtocolError:
            return None

    async def get_blob(self, name: bytes, limit_bytes: int) -> bytes:
        """The bytes served under that id; LeaseRefused where there are none or too many."""
        async with self._response("GET", f"{self._blobs}/{to_hex(name)}", BLOB_TIMEOUT_S) as response:
            data = await _body(response, limit_bytes)
            if data is None:
                raise LeaseRefused(f"blob {to_hex(name)} has more than {limit_bytes} bytes")
            if response.status_code == httpx2.codes.NOT_FOUND:
                raise LeaseRefused(f"blob {to_hex(name)} is not served")
            self._check(response, data)
            return data

    async def put_blob(self, blob: bytes) -> None:
        """Uploads a blob under its id."""
        url = f"{self._blobs}/{to_hex(blob_id(blob))}"
        headers = {"Content-Type": "application/octet-stream", **self._authorization(url)}
        async with self._response("PUT", url, BLOB_TIMEOUT_S, headers=headers, content=blob) as response:
            self._check(response, await _body(response, PROBLEM_BYTES_MAX) or b"")

    async def aclose(self) -> None:
        """Ends all connections."""
        await self._http.aclose()

    # --- inside

    async def _json(self, method: str, path: str, body: object = None, timeout_s: float = TIMEOUT_S) -> Any:
        """The JSON answer of the market in use; None where it is empty."""
        url = f"{self.url}{path}"
        json_body = {} if body is None else {"json": body}
        headers = self._authorization(url)
        async with self._response(method, url, timeout_s, headers=headers, **json_body) as response:
            data = await _body(response, ANSWER_BYTES_MAX)
            if data is None:
                raise self._lost(f"{url} answers with more than {ANSWER_BYTES_MAX} bytes")
            self._check(response, data)
        if not data:
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._lost(f"{url} does not answer with JSON") from error

    @asynccontextmanager
    async def _response(self, method: str, url: str, timeout_s: float, **parts: Any) -> AsyncIterator[httpx2.Response]:
        """The answer with its body to come, all of it within the time."""
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._http.stream(method, url, timeout=timeout_s, **parts) as response,
            ):
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise self._lost(f"{url} answers in an encoding that was not asked for")
                yield response
        except TimeoutError as error:
            raise self._lost(f"{url} did not answer within {timeout_s:.0f} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise self._lost(f"{url}: {error!r}") from error

    def _check(self, response: httpx2.Response, data: bytes) -> None:
        """Raises what a status above 299 means."""
        status = response.status_code
        if status < 300:
            return
        code, detail, period = _problem(data)
        if status == httpx2.codes.UNAUTHORIZED:
            raise SessionRefused(f"{code}: {detail}")
        if status >= 500 or status == httpx2.codes.TOO_MANY_REQUESTS:
            raise self._lost(f"{status} {code}: {detail}", _retry_after(response))
        raise MarketRefused(status, code, detail, period)

    def _authorization(self, url: str) -> dict[str, str]:
        """The session's token, for the market that gave it and nobody else."""
        ours = self._token and urlsplit(url)[:2] == urlsplit(self.url)[:2]
        return {"Authorization": f"Bearer {self._token}"} if ours else {}

    def _lost(self, reason: str, retry_after_s: float = 0.0) -> MarketUnreachable:
        """Turns to the next URL."""
        if len(self._urls) > 1:
            if self._at == 0:
                self._failed_at = self._clock()
            self._at = (self._at + 1) % len(self._urls)
            self._token = ""
        return MarketUnreachable(reason, retry_after_s)


def _path(key: LeaseKey) -> str:
    return f"/v1/leases/{to_hex(key.job_id)}/{key.lease_id}"


def _check_blobs(url: str, market: str) -> str:
    """The blobs' URL; SettingsInvalid as `check_url`, and for one on this machine where the market is not."""
    checked = check_url(url)
    if _is_loopback(urlsplit(checked).hostname or "") and not _is_loopback(urlsplit(market).hostname or ""):
        raise SettingsInvalid(f"{market} sends to {checked}, on this machine")
    return checked


def _is_token(token: object) -> bool:
    return isinstance(token, str) and 0 < len(token) <= TOKEN_MAX and all("!" <= sign <= "~" for sign in token)


async def _body(response: httpx2.Response, limit_bytes: int) -> bytes | None:
    """The body; None as soon as it passes the limit. Of a refusal, its first PROBLEM_BYTES_MAX bytes."""
    refused = response.status_code >= 300
    data = bytearray()
    async for part in response.aiter_bytes():
        data += part
        if refused and len(data) >= PROBLEM_BYTES_MAX:
            return bytes(data[:PROBLEM_BYTES_MAX])
        if not refused and len(data) > limit_bytes:
            return None
    return bytes(data)


def _problem(data: bytes) -> tuple[str, str, int | None]:
    """Code, detail and period of a problem+json body."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        return "unknown", _printable(data[:200].decode(errors="replace")), None
    code, detail, period = value.get("code"), value.get("detail"), value.get("period")
    return (
        _printable(code) if isinstance(code, str) else "unknown",
        _printable(detail) if isinstance(detail, str) else "",
        period if type(period) is int and 0 <= period < 2**32 else None,
    )


def _printable(text: str) -> str:
    """A stranger's words for a log or a terminal: short, and without control characters."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:TEXT_MAX])


def _retry_after(response: httpx2.Response) -> float:
    try:
        return min(RETRY_AFTER_MAX_S, max(0.0, float(response.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0
