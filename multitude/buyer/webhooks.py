"""Webhooks: a market tells a buyer's server that a job has finished, or that results were taken back.

Deliveries have the form of Standard Webhooks: https://www.standardwebhooks.com.
"""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from multitude.buyer.api import AsyncMarketApi
from multitude.buyer.wire import list_of, object_of, text_of
from multitude.errors import WebhookInvalid

EVENTS = ("job.finished", "job.voided")
BODY_BYTES_MAX = 1 << 20
TOLERANCE_S = 300


class Webhook(NamedTuple):
    """A registered webhook, of one job or (`job_id` None) of all; `secret` is told when it is made."""

    id: str
    url: str
    job_id: str | None
    events: tuple[str, ...]
    active: bool
    secret: str | None


class AsyncWebhooks:
    """The webhooks of one buyer at one market. Every method signs in first where that is needed."""

    def __init__(self, api: AsyncMarketApi, sign_in: Callable[[], Awaitable[None]]) -> None:
        self._api = api
        self._sign_in = sign_in

    async def add(self, url: str, job_id: str | None = None, events: Sequence[str] = EVENTS) -> Webhook:
        """Ask for deliveries to a URL, of one job or of all. Keep `secret`: `verify_webhook` needs it."""
        await self._sign_in()
        body = {"url": url, "jobId": job_id, "events": list(events)}
        return _webhook(await self._api.person("POST", "/v1/webhooks", json=body))

    async def list(self) -> Sequence[Webhook]:
        """All webhooks, without their secrets."""
        await self._sign_in()
        value = await self._api.person("GET", "/v1/webhooks")
        return [_webhook(object_of(item, "a webhook")) for item in list_of(value, "webhooks", 1_000)]

    async def remove(self, webhook_id: str) -> None:
        """End one."""
        await self._sign_in()
        await self._api.person("DELETE", f"/v1/webhooks/{webhook_id}")

    async def deliveries(self, webhook_id: str) -> Sequence[dict[str, Any]]:
        """The latest deliveries of one, with their state, attempts and errors."""
        await self._sign_in()
        value = await self._api.person("GET", f"/v1/webhooks/{webhook_id}/deliveries")
        return [object_of(item, "a delivery") for item in list_of(value, "deliveries", 1_000)]


def verify_webhook(
    headers: Mapping[str, str], body: bytes, secret: str, *, now: float | None = None, tolerance_s: float = TOLERANCE_S
) -> dict[str, Any]:
    """The content of a delivery: {"type", "timestamp", "data"}. Raises WebhookInvalid unless this secret signed it now.

    `body` is the request's, byte for byte. A delivery may come again under its webhook-id: drop doubles by it.
    """
    given = {name.lower(): value for name, value in headers.items()}
    name, sent_at, signatures = (given.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not name or not sent_at.isascii() or not sent_at.isdigit() or len(sent_at) > 12:
        raise WebhookInvalid("webhook-id or webhook-timestamp is missing or malformed")
    if abs((time.time() if now is None else now) - int(sent_at)) > tolerance_s:
        raise WebhookInvalid(f"sent at {sent_at}, more than {tolerance_s:g} s from now")
    if len(body) > BODY_BYTES_MAX:
        raise WebhookInvalid(f"a body of more than {BODY_BYTES_MAX} bytes")
    wanted = hmac.digest(_secret_bytes(secret), f"{name}.{sent_at}.".encode() + body, "sha256")
    if not any(hmac.compare_digest(wanted, found) for found in _signatures(signatures)):
        raise WebhookInvalid("no signature of this secret")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WebhookInvalid("the body is no JSON") from error
    if not isinstance(value, dict):
        raise WebhookInvalid("the body is no object")
    return value


def _signatures(text: str) -> list[bytes]:
    found = []
    for part in text.split(" ")[:20]:
        version, _, signature = part.partition(",")
        if version == "v1":
            found.append(_decoded(signature))
    return found


def _secret_bytes(secret: str) -> bytes:
    data = _decoded(secret.removeprefix("whsec_"))
    if not data:
        raise WebhookInvalid("the secret is not whsec_ and base64")
    return data


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _webhook(value: Mapping[str, Any]) -> Webhook:
    job_id, secret = value.get("jobId"), value.get("secret")
    return Webhook(
        text_of(value, "id", 100),
        text_of(value, "url"),
        None if job_id is None else str(job_id),
        tuple(str(event) for event in list_of(value, "events", 20)),
        value.get("active", True) is True,
        None if secret is None else str(secret),
    )
