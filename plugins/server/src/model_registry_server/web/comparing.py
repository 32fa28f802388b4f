"""Versions beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from model_registry import ModelEntry
from model_registry.documents import plain
from model_registry_server.api.comparing import comparison, resolve
from model_registry_server.api.permission import allow, caller_of, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.page import PageRoute
from model_registry_server.web.rendering import render
from model_registry_server.web.svg import Measure, measures
from model_registry_server.web.uses import references

router = APIRouter(route_class=PageRoute)

_Side = Annotated[str, Query(max_length=700)]
_SIDES = "abcdef"
#: Tensors and files of a pair that one page lists.
MOST = 300
#: Metrics that are set beside each other.
_METRICS = 100


@router.get("/ui/compare")
@allow(Role.READER)
async def compare(
    request: Request,
    a: _Side = "",
    b: _Side = "",
    c: _Side = "",
    d: _Side = "",
    e: _Side = "",
    f: _Side = "",
    v: Annotated[list[str] | None, Query(max_length=20, description="Versions that were ticked in a list")] = None,
    differences: bool = False,
    start: Annotated[int, Query(alias="from", ge=0, lt=1 << 31, description="The first tensor that is listed")] = 0,
) -> Response:
    """Two to six versions, compared with the first."""
    named = [side.strip() for side in (a, b, c, d, e, f, *(v or ())) if side.strip()][: len(_SIDES)]
    known = await run_sync(references, server_of(request), caller_of(request))
    if len(named) < 2:
        return render(request, "compare.html", sides=named, entries=[], pairs=[], known=known, differences=differences)
    entries = [await resolve(request, side) for side in named]
    pairs = [(other, await _difference(request, entries[0], other, differences, start)) for other in entries[1:]]
    return render(
        request,
        "compare.html",
        sides=named,
        entries=entries,
        pairs=pairs,
        known=known,
        differences=differences,
        rows=_rows(entries),
        metrics=_metrics(entries),
        letters=_SIDES.upper(),
        start=start,
        most=MOST,
    )


async def _difference(
    request: Request, first: ModelEntry, other: ModelEntry, differences: bool, start: int
) -> Mapping[str, Any]:
    starts = {"tensors": start}
    return await comparison(request, first, other, differences=differences, starts=starts, most=MOST, differing=True)


def _rows(entries: Sequence[ModelEntry]) -> list[tuple[str, list[Any], bool]]:
    """Facts of which one version says something: the fact, what each says, and whether all say the same."""
    said = [_facts(entry) for entry in entries]
    keys = dict.fromkeys(key for facts in said for key in facts)
    rows = []
    for key in keys:
        values = [facts.get(key) for facts in said]
        if any(value not in (None, [], {}) for value in values):
            rows.append((key, values, all(value == values[0] for value in values)))
    return sorted(rows, key=lambda row: row[2])  # what differs first


def _facts(entry: ModelEntry) -> dict[str, Any]:
    metadata = plain(entry.metadata)
    extra = {f"extra.{key}": value for key, value in metadata.pop("extra").items()}
    for key in ("name", "version", "performance_metrics", "description", "parents"):
        metadata.pop(key)
    return {**metadata, **extra}


def _metrics(entries: Sequence[ModelEntry]) -> list[tuple[str, list[Measure]]]:
    """Each metric, as every version has it."""
    names = dict.fromkeys(name for entry in entries for name in entry.metadata.performance_metrics)
    return [
        (name, measures([entry.metadata.performance_metrics.get(name) for entry in entries]))
        for name in list(names)[:_METRICS]
    ]
