"""What to do about a request that no route takes as it is: documents for the errors that the framework raises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.routing import Match

from model_registry_server.api.examples import json_of
from model_registry_server.api_path import API
from model_registry_server.errors import problem

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_LONGEST = 2000
_LONGEST_FIELD = 200


def of_path(request: Request) -> dict[str, Any]:
    """There is nothing at this path."""
    path = request.scope["path"]
    known = "/openapi.json tells every path"
    meant = f"did you mean {API}{path}? " if any(_allowed(request, API + path)) else ""
    detail = f"there is nothing at {path[:200]!r}"
    return problem(404, detail, hint=f"{meant}the API begins at {API}; {known}", path=path[:200], api=API)


def of_method(request: Request) -> dict[str, Any]:
    """There is something at this path, but not for this method."""
    allowed = sorted(_allowed(request, request.scope["path"]))
    detail = f"{request.method} is not for {request.scope['path'][:200]!r}"
    return problem(405, detail, hint=f"this path takes {' and '.join(allowed)}; see /openapi.json", allowed=allowed)


def of_fields(request: Request, error: RequestValidationError) -> dict[str, Any]:
    """Something in the query, the headers or the body is not as it must be."""
    mistakes = error.errors()
    fields = [_field(mistake) for mistake in mistakes]
    said = [f"{field}: {_what(mistake)}" for field, mistake in zip(fields, mistakes, strict=True)]
    body = _body_of(request) if any(mistake["loc"][0] == "body" for mistake in mistakes) else None
    hint = "see /openapi.json" if body is None else _about_body(request, mistakes, body)
    return problem(422, "; ".join(said)[:_LONGEST], error="InvalidRequestError", hint=hint, fields=fields[:100])


def _allowed(request: Request, path: str) -> Iterator[str]:
    """The methods for which there is a route at a path: several routes may share it."""
    for method in _METHODS:
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        if any(route.matches(dict(scope))[0] is Match.FULL for route in request.app.routes):
            yield method


def _field(mistake: dict[str, Any]) -> str:
    where = mistake["loc"][:1] if mistake["type"] == "json_invalid" else mistake["loc"]
    return ".".join(map(str, where))[:_LONGEST_FIELD]


def _what(mistake: dict[str, Any]) -> str:
    if mistake["type"] == "json_invalid":
        return f"is no JSON: {mistake['ctx']['error']} at character {mistake['loc'][-1]}"
    if mistake["type"] == "extra_forbidden":
        return "there is no such field"
    if mistake["loc"] == ("body",) and mistake["type"] not in ("missing", "too_many_mistakes"):
        return "is no JSON object"
    return str(mistake["msg"])


def _body_of(request: Request) -> type[BaseModel] | None:
    """What the route takes as its body."""
    taken = request.scope["route"].dependant.body_params
    model = taken[0].field_info.annotation if taken else None
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _about_body(request: Request, mistakes: Sequence[Any], body: type[BaseModel]) -> str:
    for mistake in mistakes:
        is_unknown = mistake["type"] == "extra_forbidden" and len(mistake["loc"]) == 2
        unknown = str(mistake["loc"][-1])[:_LONGEST_FIELD]
        near = get_close_matches(unknown, body.model_fields, n=1) if is_unknown else []
        if near:
            return f"did you mean {near[0]!r}?"
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    instead = f", not {kind[:100]}" if kind and kind != "application/json" else ""
    return f"send application/json{instead}, such as {json_of(body)}"
