"""Tokens, and the audit log of what was done with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from model_registry import InvalidOptionError
from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.noting import noted_within
from model_registry_server.api.permission import Route, allow, allow_everybody, caller_of, server_of
from model_registry_server.errors import NotFoundError
from model_registry_server.security.roles import Role
from model_registry_server.security.tokens import Also, Token

router = APIRouter(route_class=Route, tags=["access"])


@router.get("/me", response_model=schemas.Caller)
@allow_everybody()
def who_am_i(request: Request) -> Response:
    """Who the caller is, and what it may do."""
    caller = caller_of(request)
    return answer({"name": caller.name, "role": caller.role, "models": caller.patterns if caller.patterns else []})


@router.get("/tokens", response_model=schemas.Tokens)
@allow(Role.ADMIN, everything=True)
def list_tokens(request: Request) -> Response:
    """The tokens, without their secrets."""
    return answer({"tokens": [_document(token) for token in server_of(request).tokens.list()]})


@router.post("/tokens", status_code=201, response_model=schemas.NewToken)
@allow(Role.ADMIN, everything=True)
def create_token(request: Request, body: schemas.TokenOrder) -> Response:
    """Make a token. Its text is told this once; only a hash of it is kept."""
    text, token = make(request, body.name, body.role, body.models, body.expires_at)
    return answer({**_document(token), "token": text}, 201, {"Cache-Control": "no-store"})


@router.delete("/tokens/{id:part}", response_model=schemas.Deleted)
@allow(Role.ADMIN, everything=True)
def revoke_token(request: Request, id: str) -> Response:
    """Revoke a token."""
    if not server_of(request).tokens.revoke(id, also=_noted(request)):
        raise NotFoundError(f"there is no token {id!r:.80} that could be revoked", hint="GET /tokens lists them", id=id)
    return answer({"deleted": id})


@router.get("/audit", response_model=schemas.AuditLog)
@allow(Role.ADMIN, everything=True)
def search_audit_log(
    request: Request,
    actor: Annotated[str | None, Query(max_length=200, description="Who")] = None,
    action: Annotated[str | None, Query(max_length=200, description="What", examples=["remove_model"])] = None,
    subject: Annotated[str | None, Query(max_length=500, description="Of what: a part, or a pattern with *")] = None,
    since: Annotated[datetime | None, Query(description="From then on", examples=["2026-01-31T00:00:00Z"])] = None,
    until: Annotated[datetime | None, Query(description="Before then", examples=["2026-02-01T00:00:00Z"])] = None,
    before: Annotated[int | None, Query(ge=0, lt=1 << 63, description="The id of the last entry before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Who changed what, when, and from where; the newest first. Each entry holds the hash of the one before it."""
    audit = server_of(request).audit
    entries = audit.search(actor, action, subject, since=since, until=until, before=before, limit=limit)
    return answer({"entries": entries})


@router.get("/audit/verify", response_model=schemas.AuditVerified)
@allow(Role.ADMIN, everything=True)
def verify_audit_log(
    request: Request,
    head: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="The head as it was noted before")] = None,
) -> Response:
    """Whether no entry was changed or taken away; and the hash of the newest, to be noted elsewhere."""
    audit = server_of(request).audit
    problem = audit.verify(head)
    return answer({"intact": problem is None, "problem": problem, "head": audit.head()})


def make(
    request: Request, name: str | None, role: str, models: Sequence[str], expires_at: datetime | None
) -> tuple[str, Token]:
    """See :meth:`Tokens.create`; the audit log tells of it in the same transaction.

    :raises InvalidOptionError: for a first one that is no admin's: with it, all that only admins may do would be closed
        to whoever makes it.
    """
    tokens = server_of(request).tokens
    if not tokens.any() and not (role == Role.ADMIN and "*" in models):
        hint = "make one of the role admin for all models first: as soon as there is one, nobody gets in without"
        raise InvalidOptionError("the first token has to be an admin's", hint=hint, option="role")
    return tokens.create(name, role, tuple(models), expires_at, also=_noted(request))


def _noted(request: Request) -> Also:
    def also(db: sqlite3.Connection, token: Token) -> None:
        facts = {"name": token.name, "role": token.role.value, "models": list(token.patterns)}
        ends = {} if token.expires_at is None else {"expires_at": token.expires_at.isoformat()}
        request.state.noted.update(subject=token.id, **facts, **ends)
        noted_within(server_of(request), request, db)

    return also


def _document(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "models": token.patterns,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    }
