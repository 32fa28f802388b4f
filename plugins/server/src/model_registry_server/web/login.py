"""Showing a token, and taking it back; and the language."""

from __future__ import annotations

from http import HTTPStatus

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry_server.api.permission import allow_everybody, limit, server_of
from model_registry_server.security.limits import address_key
from model_registry_server.web.forms import OF_ANYBODY, fields_of
from model_registry_server.web.language import COOKIE as LANGUAGE_COOKIE
from model_registry_server.web.language import LANGUAGES
from model_registry_server.web.page import TOKEN_COOKIE, PageRoute, is_local, see_other
from model_registry_server.web.rendering import render

router = APIRouter(route_class=PageRoute)

_HOME = "/ui/models"


@router.get("/ui/login")
@allow_everybody()
async def ask_for_token(request: Request, next: str = _HOME) -> Response:
    """Ask for a token."""
    return render(request, "login.html", next=_local(next), refused=False)


@router.post("/ui/login")
@allow_everybody()
async def log_in(request: Request) -> Response:
    """Keep a token in the browser, where no script can read it, until that is closed."""
    server = server_of(request)
    limit(server, address_key(request.client.host if request.client else ""))  # first: a right guess is one, too
    fields = await fields_of(request, OF_ANYBODY)
    text, target = fields.get("token", "").strip(), _local(fields.get("next", _HOME))
    if not text or await run_sync(server.tokens.check, text) is None:
        return render(request, "login.html", HTTPStatus.UNAUTHORIZED, next=target, refused=True)
    response = see_other(target)
    secure = _is_secure(request)
    response.set_cookie(TOKEN_COOKIE, text, path="/ui", httponly=True, samesite="strict", secure=secure)
    return response


@router.post("/ui/logout")
@allow_everybody()
async def log_out(request: Request) -> Response:
    """Forget the token."""
    response = see_other("/ui/login")
    response.delete_cookie(TOKEN_COOKIE, path="/ui", httponly=True, samesite="strict", secure=_is_secure(request))
    return response


@router.post("/ui/language")
@allow_everybody()
async def choose_language(request: Request) -> Response:
    """Remember the language, for a year."""
    fields = await fields_of(request, OF_ANYBODY)
    response = see_other(_local(fields.get("next", _HOME)))
    if fields.get("to") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, fields["to"], max_age=31_536_000, path="/ui", samesite="strict")
    return response


def _local(path: str) -> str:
    return path if is_local(path) else _HOME


def _is_secure(request: Request) -> bool:
    """Whether the browser came by TLS; of a proxy that ends it, its word is taken: it can only make us stricter."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
