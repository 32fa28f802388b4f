"""Tokens: made, shown once, revoked."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry.errors import InvalidOptionError
from model_registry_server.api import tokens as api
from model_registry_server.api.permission import allow, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.forms import fields_of
from model_registry_server.web.page import PageRoute, see_other
from model_registry_server.web.rendering import render

router = APIRouter(route_class=PageRoute)

_LONGEST_DAYS = 36_500


@router.get("/ui/tokens")
@allow(Role.ADMIN, everything=True)
def list_tokens(request: Request) -> Response:
    """The tokens, without their secrets."""
    server = server_of(request)
    now = datetime.now(timezone.utc)
    return render(request, "tokens.html", tokens=server.tokens.list(), made=None, is_open=server.is_open, now=now)


@router.post("/ui/tokens")
@allow(Role.ADMIN, everything=True)
async def create_token(request: Request) -> Response:
    """Make a token, and show it this once."""
    server, fields = server_of(request), await fields_of(request)
    patterns = tuple(fields.get("models", "").replace(",", " ").split()) or ("*",)
    name = fields.get("name", "").strip() or None
    role, end = fields.get("role", ""), _end(fields.get("days", ""))
    text, token = await run_sync(api.make, request, name, role, patterns, end)
    tokens = await run_sync(server.tokens.list)
    now = datetime.now(timezone.utc)
    page = render(request, "tokens.html", tokens=tokens, made=(text, token), is_open=server.is_open, now=now)
    page.headers["Cache-Control"] = "no-store"
    return page


@router.post("/ui/tokens/{id:part}/revoke")
@allow(Role.ADMIN, everything=True)
async def revoke_token(request: Request, id: str) -> Response:
    """Revoke a token."""
    await run_sync(partial(api.revoke_token, request, id))
    return see_other("/ui/tokens?done=token_revoked")


def _end(days: str) -> datetime | None:
    if not days.strip():
        return None
    if not days.strip().isdecimal() or not 0 < int(days[:9]) <= _LONGEST_DAYS:
        raise InvalidOptionError(
            f"{days[:40]!r} is no number of days", hint="write 1 to 36500, or nothing", option="days"
        )
    return datetime.now(timezone.utc) + timedelta(days=int(days))
