"""Endpoints of webhooks: only for who is signed in, only of its own jobs."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from market.access import ContextDep, PersonDep, limited
from market.guard import StrictRoute
from market.webhooks import service
from market.webhooks.models import Delivery, Webhook
from market.wire import Hash, Wire

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=StrictRoute)

EventName = Literal["job.finished", "job.voided"]
WebhookPath = Annotated[str, Path(pattern=r"^wh_[0-9a-f]{32}$")]


class WebhookRequest(Wire):
    """Where to tell what, of one job or (null) of all jobs of the buyer."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    job_id: Hash | None = None
    events: Annotated[list[EventName], Field(min_length=1, max_length=2)]


class WebhookBody(Wire):
    """A webhook; one that answered 410 is not active any more."""

    id: str
    url: str
    job_id: str | None
    events: list[str]
    active: bool


class WebhookWithSecret(WebhookBody):
    """A webhook and the secret (whsec_...) that its messages are signed with, in the form of Standard Webhooks."""

    secret: str


class WebhookList(Wire):
    """All webhooks of a buyer, oldest first."""

    webhooks: list[WebhookBody]


class DeliveryBody(Wire):
    """A message: waiting, delivered or failed; the last attempt's HTTP status or error; Unix seconds."""

    id: str
    event: str
    job_id: str
    state: str
    attempts: int
    status: int | None
    error: str | None
    made_at: int
    next_attempt_at: int | None


class DeliveryPage(Wire):
    """Deliveries, newest first; `next` continues, null at the end."""

    deliveries: list[DeliveryBody]
    next: int | None


@router.post("", status_code=201, operation_id="addWebhook", dependencies=[Depends(limited("webhook"))])
def add_webhook(request: WebhookRequest, person: PersonDep, context: ContextDep) -> WebhookWithSecret:
    """Be told of jobs. `webhook_url_refused` says what is wrong with the URL; `not_buyer` for another's job."""
    made = service.register(context, person.address, request.url, request.job_id, request.events)
    return _with_secret(context, made)


@router.get("", operation_id="listWebhooks")
def list_webhooks(person: PersonDep, context: ContextDep) -> WebhookList:
    """The caller's webhooks."""
    return WebhookList(webhooks=[WebhookBody(**_fields(row)) for row in service.of_owner(context, person.address)])


@router.get("/{webhook}", operation_id="getWebhook")
def get_webhook(webhook: WebhookPath, person: PersonDep, context: ContextDep) -> WebhookWithSecret:
    """One of the caller's webhooks, with its secret."""
    return _with_secret(context, service.get(context, person.address, webhook))


@router.delete("/{webhook}", status_code=204, operation_id="removeWebhook", response_class=Response)
def remove_webhook(webhook: WebhookPath, person: PersonDep, context: ContextDep) -> Response:
    """Delete a webhook; what waits for it is not sent any more."""
    service.remove(context, person.address, webhook)
    return Response(status_code=204)


@router.get("/{webhook}/deliveries", operation_id="listDeliveries")
def list_deliveries(
    webhook: WebhookPath,
    person: PersonDep,
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryPage:
    """What was sent to a webhook and what waits, newest first."""
    row = service.get(context, person.address, webhook)
    found = service.deliveries(context, row.id, cursor, limit)
    return DeliveryPage(
        deliveries=[_delivery(one) for one in found], next=found[-1].seq if len(found) == limit else None
    )


def _with_secret(context: ContextDep, row: Webhook) -> WebhookWithSecret:
    return WebhookWithSecret(**_fields(row), secret=service.secret_of(context, row.id))


def _fields(row: Webhook) -> dict[str, Any]:
    return {name: getattr(row, name) for name in WebhookBody.model_fields}


def _delivery(row: Delivery) -> DeliveryBody:
    waiting = row.state == "waiting"
    return DeliveryBody(
        id=row.id,
        event=row.event,
        job_id=row.job_id,
        state=row.state,
        attempts=row.attempts,
        status=row.status,
        error=row.error,
        made_at=int(row.made_at.timestamp()),
        next_attempt_at=int(row.next_attempt_at.timestamp()) if waiting else None,
    )
