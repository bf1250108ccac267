"""Webhooks that buyers registered, and what is to be delivered to them."""

import base64
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from market.context import Context
from market.db import remove as remove_rows
from market.jobs.models import Job
from market.problems import Problem, not_found
from market.webhooks.address import UrlRefused, check, literal, parse
from market.webhooks.models import Delivery, DeliveryState, EventType, Webhook
from protocol.hashing import keccak256


def register(context: Context, owner: str, url: str, job_id: str | None, events: Sequence[str]) -> Webhook:
    """A new webhook of a buyer.

    Problem 422 `webhook_url_refused`, 404 for an unknown job, 403 `not_buyer`, 409 `webhook_limit`.
    """
    _check_url(context, url)
    with context.transaction() as session:
        if job_id is not None:
            job = session.get(Job, job_id)
            if job is None:
                raise not_found("job")
            if job.buyer != owner:
                raise Problem(403, "not_buyer", "only the job's buyer is told of it")
        count = session.scalar(select(func.count()).select_from(Webhook).where(Webhook.owner == owner)) or 0
        if count >= context.settings.webhooks_per_person:
            raise Problem(409, "webhook_limit", f"at most {context.settings.webhooks_per_person} webhooks: delete one")
        made = Webhook(
            id=f"wh_{secrets.token_hex(16)}", owner=owner, url=url, job_id=job_id, events=sorted(set(events))
        )
        session.add(made)
    return made


def secret_of(context: Context, webhook_id: str) -> str:
    """The webhook's secret (whsec_...). It follows from the settler's key and the id, so no table holds it."""
    digest = hmac.digest(context.settler.key, f"multitude webhook {webhook_id}".encode(), "sha256")
    return "whsec_" + base64.b64encode(digest).decode()


def get(context: Context, owner: str, webhook_id: str) -> Webhook:
    """A webhook of this buyer. Problem 404 where it has no such webhook."""
    with context.sessions() as session:
        row = session.get(Webhook, webhook_id)
    if row is None or row.owner != owner:
        raise not_found("webhook")
    return row


def of_owner(context: Context, owner: str) -> list[Webhook]:
    """All webhooks of a buyer, oldest first."""
    with context.sessions() as session:
        return list(session.scalars(select(Webhook).where(Webhook.owner == owner).order_by(Webhook.made_at)))


def remove(context: Context, owner: str, webhook_id: str) -> None:
    """Deletes a webhook with all that waits for it. Problem 404 where the buyer has no such webhook."""
    get(context, owner, webhook_id)
    with context.transaction() as session:
        session.execute(delete(Webhook).where(Webhook.id == webhook_id))


def deliveries(context: Context, webhook_id: str, before: int | None, limit: int) -> list[Delivery]:
    """Deliveries of a webhook, newest first, before a cursor."""
    query = select(Delivery).where(Delivery.webhook_id == webhook_id).order_by(Delivery.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(Delivery.seq < before)
    with context.sessions() as session:
        return list(session.scalars(query))


def notify(context: Context, session: Session, job: Job, event: EventType, data: dict[str, Any], key: str = "") -> int:
    """Queues a message to every webhook that wants it, inside the caller's transaction; how many.

    The same (job, event, key) again queues nothing.
    """
    query = select(Webhook).where(
        Webhook.owner == job.buyer, Webhook.active, or_(Webhook.job_id.is_(None), Webhook.job_id == job.job_id)
    )
    now = context.moment()
    value = {"type": event, "timestamp": now.isoformat(), "data": {"jobId": job.job_id, **data}}
    body = json.dumps(value, separators=(",", ":"))
    rows = [
        {
            "id": _message_id(webhook.id, event, job.job_id, key),
            "webhook_id": webhook.id,
            "event": event,
            "job_id": job.job_id,
            "body": body,
            "state": DeliveryState.WAITING,
            "attempts": 0,
            "made_at": now,
            "next_attempt_at": now,
        }
        for webhook in session.scalars(query)
        if event in webhook.events
    ]
    if rows:
        session.execute(insert(Delivery).on_conflict_do_nothing(), rows)
    return len(rows)


def forget_old(context: Context, session: Session) -> int:
    """Deletes ended deliveries past their time, and webhooks of one job whose story is over; how many."""
    limit = context.moment(-context.settings.deliveries_kept_seconds)
    ended = Delivery.state != DeliveryState.WAITING
    gone = remove_rows(session, delete(Delivery).where(ended, Delivery.made_at <= limit))
    over = select(Job.job_id).where(Job.over_at <= limit)
    return gone + remove_rows(session, delete(Webhook).where(Webhook.job_id.in_(over)))


def _message_id(*parts: str) -> str:
    return "msg_" + keccak256("|".join(parts).encode()).hex()[:32]


def _check_url(context: Context, url: str) -> None:
    """Refuses what can be seen to be wrong without a look-up, so that a typing error shows at once."""
    loopback = context.settings.webhook_loopback
    try:
        target = parse(url, loopback=loopback)
        address = literal(target.host)
        if address is not None:
            check(target, [address], loopback=loopback)
    except UrlRefused as error:
        raise Problem(422, "webhook_url_refused", str(error), reason=str(error)) from None
