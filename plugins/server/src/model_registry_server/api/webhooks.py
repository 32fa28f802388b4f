"""Webhooks: who is told of changes, and what became of that."""

from __future__ import annotations

from typing import Annotated

from attrs import asdict
from fastapi import APIRouter, Query, Request, Response

from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.permission import Route, allow, caller_of, server_of
from model_registry_server.errors import NotFoundError
from model_registry_server.security.roles import Role
from model_registry_server.webhooks.deliveries import document_of
from model_registry_server.webhooks.webhook import DeliveryState

router = APIRouter(route_class=Route, tags=["webhooks"])


@router.get("/webhooks", response_model=schemas.Webhooks)
@allow(Role.ADMIN, everything=True)
def list_webhooks(request: Request) -> Response:
    """The webhooks, without their secrets."""
    return answer({"webhooks": server_of(request).webhooks.list()})


@router.post("/webhooks", status_code=201, response_model=schemas.NewWebhook)
@allow(Role.ADMIN, everything=True)
def create_webhook(request: Request, body: schemas.WebhookOrder) -> Response:
    """Let an address be told of changes from now on. The secret that signs what is sent is told this once.

    Each delivery is a POST of `{"id": …, "event": {…}, "version": {…} or null}`, signed as standardwebhooks.com says.
    Any answer but 2xx is tried again for about a day; 410 ends the webhook.
    """
    server = server_of(request)
    secret, webhook = server.webhooks.add(**body.model_dump(), seen=server.answers.revision())
    request.state.noted.update(subject=webhook.id, url=webhook.url)
    return answer({**asdict(webhook), "secret": secret}, 201, {"Cache-Control": "no-store"})


@router.get("/webhooks/{id:part}", response_model=schemas.Webhook)
@allow(Role.ADMIN, everything=True)
def get_webhook(request: Request, id: str) -> Response:
    """A webhook, without its secret."""
    return answer(server_of(request).webhooks.get(id))


@router.patch("/webhooks/{id:part}", response_model=schemas.Webhook)
@allow(Role.ADMIN, everything=True)
def change_webhook(request: Request, id: str, body: schemas.WebhookChange) -> Response:
    """Change a webhook. What is not given stays. While it is inactive, changes pass it by and deliveries wait."""
    server, given = server_of(request), body.model_dump(exclude_unset=True)
    changes = {key: value for key, value in given.items() if value is not None or key == "description"}
    request.state.noted.update(changes)
    return answer(server.webhooks.change(id, changes, seen=server.answers.revision()))


@router.delete("/webhooks/{id:part}", response_model=schemas.Deleted)
@allow(Role.ADMIN, everything=True)
def delete_webhook(request: Request, id: str) -> Response:
    """Forget a webhook, and what is still to be sent to it."""
    if not server_of(request).webhooks.remove(id):
        raise NotFoundError(f"there is no webhook {id!r:.80}", hint="GET /webhooks lists them", id=id)
    return answer({"deleted": id})


@router.post("/webhooks/{id:part}/test", status_code=202, response_model=schemas.Delivery)
@allow(Role.ADMIN, everything=True)
def test_webhook(request: Request, id: str) -> Response:
    """Send a `ping`, to see whether it arrives."""
    return answer(document_of(server_of(request).deliveries.add_ping(id, caller_of(request).name)), 202)


@router.get("/webhooks/{id:part}/deliveries", response_model=schemas.Deliveries)
@allow(Role.ADMIN, everything=True)
def list_deliveries(
    request: Request,
    id: str,
    state: Annotated[DeliveryState | None, Query(description="Only those in this state")] = None,
    before: Annotated[
        str | None,
        Query(max_length=64, description="The id of the last one of the page before", examples=["8f14e45fceea167a"]),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """What was sent or will be, the newest first. They are remembered for 30 days, at most 10,000 of a webhook."""
    server = server_of(request)
    server.webhooks.get(id)
    found = server.deliveries.list(id, state, before, limit)
    cursor = found[-1].id if len(found) == limit else None
    return answer({"deliveries": [document_of(each) for each in found], "cursor": cursor})


@router.post("/webhooks/{id:part}/deliveries/{delivery:part}/retry", status_code=202, response_model=schemas.Delivery)
@allow(Role.ADMIN, everything=True)
def retry_delivery(request: Request, id: str, delivery: str) -> Response:
    """Send it at once, whatever became of it. Its id stays, by which a receiver knows it again."""
    return answer(document_of(server_of(request).deliveries.retry(id, delivery)), 202)
