"""The list of models, and the search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from anyio.to_thread import run_sync
from attrs import frozen
from fastapi import APIRouter, Query, Request, Response

from model_registry import ModelEntry, ModelRegistry
from model_registry.errors import InvalidQueryError, ModelRegistryError
from model_registry_server.api.permission import allow, caller_of, server_of
from model_registry_server.documents import page_of_models
from model_registry_server.security.roles import Caller, Role
from model_registry_server.web import grouping
from model_registry_server.web.page import PageRoute
from model_registry_server.web.queries import ORDERS, Asked, find
from model_registry_server.web.rendering import render

router = APIRouter(route_class=PageRoute)

PAGE = 100
_Text = Annotated[str, Query(max_length=10_000)]
_Short = Annotated[str, Query(max_length=300)]


@frozen
class Row:
    """A line of the table.

    :param aliases: With the version that each names.
    """

    entry: ModelEntry
    aliases: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]


@frozen
class Found:
    """What a page shows.

    :param formats: How many versions have each format; likewise ``types``.
    :param total: How many models there are.
    """

    rows: tuple[Row, ...] = ()
    after: str | None = None
    mistake: InvalidQueryError | None = None
    formats: Mapping[str, int] = {}
    types: Mapping[str, int] = {}
    total: int | None = None


@router.get("/ui/models")
@allow(Role.READER)
async def list_models(
    request: Request,
    q: _Text = "",
    format: _Short = "",
    type: _Short = "",
    tag: _Short = "",
    alias: _Short = "",
    sort: _Short = "",
    after: _Text = "",
    fragment: bool = False,
) -> Response:
    """The list of models; with ``fragment``, only the part that a search changes."""
    caller, registry = caller_of(request), server_of(request).registry
    filters = {"format": format, "type": type, "tag": tag, "alias": alias}
    asked = Asked(q, filters, sort if sort.removeprefix("-") in ORDERS else "")
    found = await run_sync(_find, registry, caller, asked, after or None)
    template = "parts/found.html" if fragment else "models.html"
    status = 422 if found.mistake is not None and not fragment else 200
    return render(request, template, status, found=found, asked=asked, filters=filters)


@router.get("/ui/removed")
@allow(Role.READER)
def list_removed(request: Request, after: Annotated[str | None, Query(max_length=2000)] = None) -> Response:
    """What was removed, and can be restored."""
    registry = server_of(request).registry
    page: dict[str, Any] = page_of_models(registry, caller_of(request), after, PAGE, removed=True)
    return render(request, "removed.html", page=page)


def _find(registry: ModelRegistry, caller: Caller, asked: Asked, after: str | None) -> Found:
    formats, types, total = _facets(registry, caller)
    try:
        entries, cursor = _page(registry, caller, asked, after)
    except InvalidQueryError as mistake:
        return Found(mistake=mistake, formats=formats, types=types)
    rows = tuple(row_of(entry, registry if asked.is_everything else None) for entry in entries)
    return Found(rows, cursor, None, formats, types, total)


def _page(
    registry: ModelRegistry, caller: Caller, asked: Asked, after: str | None
) -> tuple[tuple[ModelEntry, ...], str | None]:
    if asked.is_everything:
        page = grouping.models(registry, caller, after, PAGE)
        return page.entries, page.after
    found: list[ModelEntry] = []
    start = begin = after
    taken = 0
    while True:
        searched = find(registry, caller, asked, start, PAGE + 1 if caller.sees_all else PAGE)
        for number, entry in enumerate(searched, start=1):
            if not caller.may(Role.READER, entry.name):
                continue
            if len(found) == PAGE:  # the cursor stands at the last one shown: one at another would tell of it
                return tuple(found), find(registry, caller, asked, begin, taken).cursor
            found.append(entry)
            begin, taken = start, number
        if searched.cursor is None:
            return tuple(found), None
        start = searched.cursor


def row_of(entry: ModelEntry, registry: ModelRegistry | None = None) -> Row:
    """What a line says of a version.

    :param registry: The line is about the model: then all its aliases are told.
    """
    if registry is None:
        return Row(entry, tuple((alias, entry.version) for alias in entry.aliases), tuple(entry.tags.items()))
    return Row(entry, tuple(registry.aliases(entry.name).items()), tuple(registry.tags(entry.name).items()))


def _facets(registry: ModelRegistry, caller: Caller) -> tuple[Mapping[str, int], Mapping[str, int], int | None]:
    """The formats and types there are; of a caller who may not see all, none: the list would tell of the others."""
    if not caller.sees_all:
        return {}, {}, None
    try:
        stats = registry.get_detailed_stats()
    except ModelRegistryError:  # the list is worth more than its filters
        return {}, {}, None
    return stats["by_format"], stats["by_type"], int(stats["models"])
