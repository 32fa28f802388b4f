"""The audit log."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from model_registry.errors import InvalidOptionError
from model_registry_server.api.permission import allow, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.page import PageRoute
from model_registry_server.web.rendering import render

router = APIRouter(route_class=PageRoute)

_PAGE = 100
_Word = Annotated[str, Query(max_length=500)]


@router.get("/ui/audit")
@allow(Role.ADMIN, everything=True)
def search_audit_log(
    request: Request,
    actor: _Word = "",
    action: _Word = "",
    subject: _Word = "",
    since: _Word = "",
    until: _Word = "",
    before: Annotated[int | None, Query(ge=0, lt=1 << 63)] = None,
    verify: bool = False,
) -> Response:
    """Who changed what."""
    audit = server_of(request).audit
    last = _day(until)
    entries = audit.search(
        actor.strip() or None,
        action.strip() or None,
        subject.strip() or None,
        since=_day(since),
        until=None if last is None else last + timedelta(days=1),
        before=before,
        limit=_PAGE,
    )
    asked = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
    more = entries[-1].id if len(entries) == _PAGE else None
    checked = {"problem": audit.verify(), "head": audit.head()} if verify else None
    return render(request, "audit.html", entries=entries, asked=asked, more=more, checked=checked)


def _day(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        return datetime.combine(date.fromisoformat(text.strip()), time(), timezone.utc)
    except ValueError as error:
        hint = "write it as 2026-01-31"
        raise InvalidOptionError(f"{text[:40]!r} is no day", hint=hint, option="since, until") from error
