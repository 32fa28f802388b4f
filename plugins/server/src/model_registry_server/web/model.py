"""The page of a model: its versions, what is said of it, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from attrs import frozen
from fastapi import APIRouter, Query, Request, Response

from model_registry import Event, ModelEntry, ModelRegistry
from model_registry_server import documents
from model_registry_server.api.facts import visible
from model_registry_server.api.permission import allow, caller_of, server_of
from model_registry_server.security.roles import Caller, Role
from model_registry_server.web.card import card_of
from model_registry_server.web.family import picture
from model_registry_server.web.formats import common_decimals
from model_registry_server.web.models import PAGE, Row, row_of
from model_registry_server.web.page import PageRoute
from model_registry_server.web.queries import quoted
from model_registry_server.web.rendering import render
from model_registry_server.web.svg import Plot, plot

router = APIRouter(route_class=PageRoute)

#: Versions whose metrics are drawn: more would be points upon points, and each has to be read.
DRAWN = 300
#: Metrics that can be chosen, and those that have a place in the table.
_METRICS = 50
_COLUMNS = 4
_EVENTS = 15


@frozen
class Measured:
    """A metric over the versions."""

    name: str
    values: tuple[tuple[str, float], ...]

    @property
    def decimals(self) -> int | None:
        """Digits behind the point that all values are written with, so that they stand in line; None if none fit."""
        return common_decimals([value for _, value in self.values])

    @property
    def sparkline(self) -> Plot:
        """A small picture."""
        return plot(self.values, 72, 22, pad=3)

    @property
    def chart(self) -> Plot:
        """A large picture."""
        return plot(self.values, 720, 220, left=64, pad=14)


@router.get("/ui/models/{name:model}")
@allow(Role.READER)
def get_model(
    request: Request,
    name: str,
    metric: Annotated[str, Query(max_length=300)] = "",
    after: Annotated[str | None, Query(max_length=2000)] = None,
    events: Annotated[int | None, Query(ge=0, lt=1 << 63, alias="before")] = None,
) -> Response:
    """A model."""
    registry, caller = server_of(request).registry, caller_of(request)
    latest = registry.resolve(name)
    page = registry.search(f"name = {quoted(latest.name)} order by version desc", limit=PAGE, after=after)
    drawn = registry.search(f"name = {quoted(latest.name)} order by version desc", limit=DRAWN)
    measured = _measured(drawn.entries)
    aliases = registry.aliases(latest.name)
    history = registry.history(latest.name, before=events, limit=_EVENTS + 1)
    return render(
        request,
        "model.html",
        name=latest.name,
        latest=latest,
        rows=_rows(page),
        after=page.cursor,
        aliases=aliases,
        moves={alias: last_move(registry, latest.name, alias) for alias in aliases},
        tags=registry.tags(latest.name),
        description=registry.description(latest.name),
        card=card_of(latest),
        measured=measured[:_METRICS],
        unmeasured=len(measured[_METRICS:]),
        drawn=None if drawn.cursor is None else DRAWN,
        shown=next((each for each in measured if each.name == metric), measured[0] if measured else None),
        in_table=[each.name for each in measured[:_COLUMNS]],
        decimals={each.name: each.decimals for each in measured[:_COLUMNS]},
        family=picture(family(registry, latest, caller)),
        history=visible(history[:_EVENTS], caller),
        more_history=history[_EVENTS - 1].id if len(history) > _EVENTS else None,
        removed=registry.list_models(name=latest.name, removed=True, limit=PAGE),
    )


def family(registry: ModelRegistry, entry: ModelEntry, caller: Caller) -> Mapping[str, Any]:
    """What a version comes from and what comes from it, as far as the caller may see it."""
    return documents.lineage(registry.lineage(entry.name, entry.version, depth=12), caller)


def last_move(registry: ModelRegistry, name: str, alias: str) -> Event | None:
    """The newest event of an alias: whether it is another tells whether somebody moved it meanwhile."""
    return next(iter(registry.history(name, alias=alias, limit=1)), None)


def _rows(entries: Sequence[ModelEntry]) -> list[Row]:
    return [row_of(entry) for entry in entries]


def _measured(newest: Sequence[ModelEntry]) -> list[Measured]:
    """Every metric of the newest versions, the one that most of them have first."""
    values: dict[str, list[tuple[str, float]]] = {}
    for entry in reversed(newest):
        for metric, value in entry.metadata.performance_metrics.items():
            values.setdefault(metric, []).append((entry.version, value))
    ranked = sorted(values.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [Measured(metric, tuple(found)) for metric, found in ranked]
