"""Webhooks: made, with a secret that is shown once; tried out, and watched."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from anyio.to_thread import run_sync
from attrs import frozen
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from model_registry.errors import InvalidOptionError
from model_registry_server.api import schemas
from model_registry_server.api import webhooks as api
from model_registry_server.api.permission import allow, server_of
from model_registry_server.security import moments
from model_registry_server.security.roles import Role
from model_registry_server.web.addresses import page_url
from model_registry_server.web.forms import fields_of
from model_registry_server.web.page import PageRoute, see_other
from model_registry_server.web.rendering import render
from model_registry_server.webhooks.checks import ACTIONS
from model_registry_server.webhooks.webhook import Delivery, DeliveryState, Webhook

router = APIRouter(route_class=PageRoute)

_PAGE = 50
#: Seconds: of what is sent later, no page waits to see it.
_SOON = 60.0


@frozen
class _Shown:
    """A webhook in the list, with the newest of what was sent to it."""

    webhook: Webhook
    last: Delivery | None


@router.get("/ui/webhooks")
@allow(Role.ADMIN, everything=True)
def list_webhooks(request: Request) -> Response:
    """The webhooks, without their secrets."""
    return _page(request)


@router.post("/ui/webhooks")
@allow(Role.ADMIN, everything=True)
async def create_webhook(request: Request) -> Response:
    """Make a webhook, and show its secret this once."""
    order = _order(await fields_of(request))
    made = json.loads(bytes((await run_sync(api.create_webhook, request, order)).body))
    page = await run_sync(_page, request, made)
    page.headers["Cache-Control"] = "no-store"
    return page


@router.post("/ui/webhooks/{id:part}/active")
@allow(Role.ADMIN, everything=True)
async def change_webhook(request: Request, id: str) -> Response:
    """Let a webhook be told of changes, or no more."""
    active = (await fields_of(request)).get("to") == "on"
    await run_sync(api.change_webhook, request, id, schemas.WebhookChange(active=active))
    return _back(id, "webhook_on" if active else "webhook_off")


@router.post("/ui/webhooks/{id:part}/delete")
@allow(Role.ADMIN, everything=True)
async def delete_webhook(request: Request, id: str) -> Response:
    """Forget a webhook."""
    await run_sync(api.delete_webhook, request, id)
    return see_other("/ui/webhooks?done=webhook_deleted")


@router.post("/ui/webhooks/{id:part}/test")
@allow(Role.ADMIN, everything=True)
async def test_webhook(request: Request, id: str) -> Response:
    """Send a test."""
    await run_sync(api.test_webhook, request, id)
    return _back(id, "ping_sent")


@router.post("/ui/webhooks/{id:part}/deliveries/{delivery:part}/retry")
@allow(Role.ADMIN, everything=True)
async def retry_delivery(request: Request, id: str, delivery: str) -> Response:
    """Send a delivery again."""
    await run_sync(api.retry_delivery, request, id, delivery)
    return _back(id, "retried")


@router.get("/ui/webhooks/{id:part}")
@allow(Role.ADMIN, everything=True)
def get_webhook(
    request: Request,
    id: str,
    state: Annotated[DeliveryState | None, Query()] = None,
    before: Annotated[str | None, Query(max_length=64)] = None,
    fragment: bool = False,
) -> Response:
    """A webhook, and what was sent to it; with ``fragment``, only what changes while something is sent."""
    server = server_of(request)
    webhook, found = server.webhooks.get(id), server.deliveries.list(id, state, before, _PAGE)
    return render(
        request,
        "parts/deliveries.html" if fragment else "webhook.html",
        webhook=webhook,
        deliveries=found,
        payloads={each.id: json.loads(each.body) for each in found},
        is_busy=webhook.active and any(map(_is_soon, found)),
        here=partial(page_url, f"/ui/webhooks/{id}"),
        state=state,
        states=tuple(DeliveryState),
        before=found[-1].id if len(found) == _PAGE else None,
    )


def _page(request: Request, made: dict[str, Any] | None = None) -> HTMLResponse:
    server = server_of(request)
    shown = [
        _Shown(each, next(iter(server.deliveries.list(each.id, limit=1)), None)) for each in server.webhooks.list()
    ]
    hosts = server.options.webhook_hosts
    return render(request, "webhooks.html", webhooks=shown, made=made, hosts=hosts, actions=ACTIONS)


def _order(fields: dict[str, str]) -> schemas.WebhookOrder:
    """What the form asks for."""
    events = [action for action in ("*", *ACTIONS) if f"event.{action}" in fields]
    if not events:
        raise InvalidOptionError("no event was chosen", hint="choose at least one", option="events")
    return schemas.WebhookOrder(
        url=fields.get("url", "").strip(),
        events=["*"] if "*" in events else events,
        models=fields.get("models", "").split() or ["*"],
        description=fields.get("description", "").strip() or None,
    )


def _is_soon(delivery: Delivery) -> bool:
    at = delivery.next_try_at
    return delivery.state == DeliveryState.PENDING and at is not None and (at - moments.now()).total_seconds() < _SOON


def _back(id: str, done: str) -> Response:
    return see_other(page_url(f"/ui/webhooks/{id}", done=done))
