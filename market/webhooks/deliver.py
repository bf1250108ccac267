"""Delivering what waits: at least once, each attempt within ten seconds, ever more slowly."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import httpx2
import structlog
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook as Signer

from market.context import Context
from market.webhooks.address import UrlRefused, check, look_up, parse
from market.webhooks.models import Delivery, DeliveryState, Webhook
from market.webhooks.service import secret_of

log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Most deliveries of one tick, all at the same time."""
TIMEOUT_SECONDS = 10.0
BACK_OFF_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Pauses after the first failures; after one more the delivery has failed."""
TAKEN_SECONDS = 60
"""A delivery that was taken and not heard of again (the process died) is sent once more after this."""
GONE = 410
_USER_AGENT = "multitude-market"


class Message(NamedTuple):
    """A delivery on its way: what to send where, with its headers."""

    delivery_id: str
    url: str
    body: str
    headers: dict[str, str]


class Answer(NamedTuple):
    """What came of one attempt: the HTTP status, or why there is none."""

    status: int | None
    error: str | None

    @property
    def is_success(self) -> bool:
        """True for 2xx."""
        return self.status is not None and 200 <= self.status < 300


def tick(context: Context) -> int:
    """Sends what is due; how many."""
    messages = _take(context)
    if not messages:
        return 0
    answers = asyncio.run(_send_all(messages, loopback=context.settings.webhook_loopback))
    with context.transaction() as session:
        for message, answer in zip(messages, answers, strict=True):
            row = session.get(Delivery, message.delivery_id, with_for_update=True)
            if row is not None:
                _note(context, row, session.get_one(Webhook, row.webhook_id), answer)
    return len(messages)


def _take(context: Context) -> list[Message]:
    """What is due, put off so that nobody else sends it meanwhile."""
    now = context.moment()
    query = (
        select(Delivery, Webhook)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.state == DeliveryState.WAITING, Delivery.next_attempt_at <= now)
        .order_by(Delivery.next_attempt_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    with context.transaction() as session:
        rows = session.execute(query).all()
        for delivery, _ in rows:
            delivery.next_attempt_at = context.moment(TAKEN_SECONDS)
        return [_message(context, delivery, webhook) for delivery, webhook in rows]


def _message(context: Context, delivery: Delivery, webhook: Webhook) -> Message:
    at = datetime.fromtimestamp(int(context.now()), UTC)
    signature = Signer(secret_of(context, webhook.id)).sign(delivery.id, at, delivery.body)
    headers = {
        "content-type": "application/json",
        "user-agent": _USER_AGENT,
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    return Message(delivery.id, webhook.url, delivery.body, headers)


async def _send_all(messages: Sequence[Message], *, loopback: bool) -> list[Answer]:
    # No connection is kept: the pool knows them by address, and two names may share one.
    async with httpx2.AsyncClient(
        verify=ssl.create_default_context(),
        trust_env=False,
        follow_redirects=False,
        timeout=TIMEOUT_SECONDS,
        limits=httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=0),
    ) as client:
        return await asyncio.gather(*(_send(client, message, loopback=loopback) for message in messages))


async def _send(client: httpx2.AsyncClient, message: Message, *, loopback: bool) -> Answer:
    """One attempt: looked up once, sent to that address, its status read and nothing more."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            target = parse(message.url, loopback=loopback)
            address = check(target, await look_up(target), loopback=loopback)
            request = client.build_request(
                "POST",
                target.at(address),
                content=message.body.encode(),
                headers={**message.headers, "host": target.authority},
                extensions={"sni_hostname": target.host},
            )
            response = await client.send(request, stream=True)
            await response.aclose()
            return Answer(response.status_code, None)
    except TimeoutError:
        return Answer(None, f"no answer within {TIMEOUT_SECONDS:.0f} s")
    except (UrlRefused, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        return Answer(None, f"{type(error).__name__}: {error}"[:500])


def _note(context: Context, row: Delivery, webhook: Webhook, answer: Answer) -> None:
    row.attempts += 1
    row.status, row.error = answer.status, answer.error
    if answer.is_success:
        row.state = DeliveryState.DELIVERED
    elif answer.status == GONE or row.attempts > len(BACK_OFF_SECONDS):
        row.state = DeliveryState.FAILED
        webhook.active = webhook.active and answer.status != GONE
        log.info("webhook_failed", delivery=row.id, attempts=row.attempts, status=answer.status, error=answer.error)
    else:
        row.next_attempt_at = context.moment(BACK_OFF_SECONDS[row.attempts - 1])
