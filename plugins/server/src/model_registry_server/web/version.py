"""The page of a version: all that is known of it."""

from __future__ import annotations

from typing import Any

import attrs
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry import ModelEntry, ModelRegistry
from model_registry.errors import IntegrityError, ModelRegistryError
from model_registry.vocabulary import CompressionType
from model_registry_server import documents
from model_registry_server.api.permission import allow, caller_of, server_of
from model_registry_server.api.verifying import verify
from model_registry_server.jobs.failures import WorkerError
from model_registry_server.security.roles import Role
from model_registry_server.token_variable import TOKEN_VARIABLE
from model_registry_server.web.addresses import version_url
from model_registry_server.web.card import card_of
from model_registry_server.web.family import picture
from model_registry_server.web.model import family
from model_registry_server.web.page import PageRoute, see_other
from model_registry_server.web.rendering import render
from model_registry_server.web.snippets import snippets

router = APIRouter(route_class=PageRoute)

#: Of the metadata, what has a place of its own on the page.
_ELSEWHERE = frozenset({"name", "version", "description", "performance_metrics", "extra", "parents", "tags"})
_NONE = (CompressionType.NONE, CompressionType.ZSTD, CompressionType.DELTA, CompressionType.DISTILLED)


@router.get("/ui/models/{name:model}/versions/{version:part}")
@allow(Role.READER)
def get_version(request: Request, name: str, version: str) -> Response:
    """A version."""
    server, caller = server_of(request), caller_of(request)
    registry = server.registry
    entry = registry.resolve(name, version)
    needs_token = caller.token_id is not None  # else nobody does: without one, only who needs none gets here
    known = documents.details(registry, entry, caller)
    metadata = {key: value for key, value in _facts(entry).items() if key not in _ELSEWHERE and value not in (None, [])}
    return render(
        request,
        "version.html",
        entry=entry,
        known=known,
        facts=metadata,
        extra=entry.metadata.extra,
        card=card_of(entry),
        verified=server.verified.last(entry.digest),
        family=picture(family(registry, entry, caller)),
        targets=_targets(registry, entry),
        compressions=[word for word in CompressionType.known() if word not in _NONE],
        snippets=snippets(entry, str(request.base_url).rstrip("/"), needs_token=needs_token),
        token_variable=TOKEN_VARIABLE if needs_token else None,
    )


@router.post("/ui/models/{name:model}/versions/{version:part}/verify")
@allow(Role.READER, changes=False)
async def verify_version(request: Request, name: str, version: str) -> Response:
    """Read every byte again, and remember whether it is as registered."""
    entry = await run_sync(server_of(request).registry.resolve, name, version)
    try:
        intact = bool((await verify(request, entry, deep=True))["intact"])
    except WorkerError as error:
        if not isinstance(error.original(), IntegrityError):
            raise
        intact = False
    return see_other(version_url(entry.name, entry.version, done="verified" if intact else "damaged"))


def _facts(entry: ModelEntry) -> dict[str, Any]:
    return {field.name: getattr(entry.metadata, field.name) for field in attrs.fields(type(entry.metadata))}


def _targets(registry: ModelRegistry, entry: ModelEntry) -> list[dict[str, Any]]:
    """The formats that the version can be brought into, with the steps."""
    found = []
    for format in registry.formats():
        try:
            steps = registry.plan_conversion(entry.name, entry.version, format)
        except ModelRegistryError:
            continue
        if steps:
            storable = registry.formats()[format].storable
            found.append({"format": format, "lossless": all(step.lossless for step in steps), "storable": storable})
    return found
