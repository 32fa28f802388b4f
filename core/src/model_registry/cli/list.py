"""``model-registry list``"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

import click

from model_registry.cli.documents import version_document
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import count_text, moment_text, size_text
from model_registry.records import ModelEntry
from model_registry.registry import ModelRegistry

_COLUMNS = ("name", "version", "type", "format", "parameters", "size", "registered", "description")
_NUMBERS = ("parameters", "size")
#: Entries per question to the catalog, when a pattern decides here which of them count.
_PAGE = 500


@click.command("list", cls=RegistryCommand)
@click.argument("name", required=False, metavar="[NAME|PATTERN]")
@click.option("--type", "model_type", metavar="T", help="Only models of this type.")
@click.option("--format", "model_format", metavar="F", help="Only models of this format.")
@click.option("--removed", is_flag=True, help="Those that were removed and can be restored.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
@click.pass_obj
def command(session: Session, /, name: str | None, limit: int | None, **filters: Any) -> None:
    """List models and their versions.

    A PATTERN is a name with * and ?, such as 'team-a/*'.
    """
    registry = session.open()
    wanted = None if limit is None else limit + 1  # one more tells whether there are more
    entries = list(islice(_entries(registry, name, wanted, filters), wanted))
    more = limit is not None and len(entries) > limit
    entries = entries[:limit]
    if session.json:
        return session.emit({"versions": [version_document(entry) for entry in entries], "more": more})
    if not entries:
        return session.say(_hint(registry, name, filters))
    columns = [*_COLUMNS[:-1], "removed", _COLUMNS[-1]] if filters["removed"] else _COLUMNS
    session.screen().table(columns, map(_row, entries), numbers=_NUMBERS, cut=True)
    if more:
        session.warn(f"there are more than {limit}; raise --limit to see them")
    return None


def _entries(
    registry: ModelRegistry, name: str | None, wanted: int | None, filters: dict[str, Any]
) -> Iterator[ModelEntry]:
    if name is None or not set("*?[") & set(name):
        yield from registry.list_models(name=name, limit=wanted, **filters)
        return
    page = registry.list_models(limit=_PAGE, **filters)
    while page:
        yield from (entry for entry in page if fnmatchcase(entry.name.lower(), name.lower()))
        page = registry.list_models(after=(page[-1].name, page[-1].version), limit=_PAGE, **filters)


def _row(entry: ModelEntry) -> list[str]:
    metadata = entry.metadata
    return [
        entry.name,
        entry.version,
        metadata.model_type,
        metadata.format,
        count_text(metadata.parameters_count),
        size_text(entry.size),
        moment_text(entry.registered_at),
        *([moment_text(entry.removed_at)] if entry.removed_at else []),
        metadata.description or "",
    ]


def _hint(registry: ModelRegistry, name: str | None, filters: dict[str, Any]) -> str:
    """What to do about a list that is empty."""
    if name or filters["model_type"] or filters["model_format"]:
        return "nothing matches; «model-registry list» shows all models"
    if filters["removed"]:
        return "nothing was removed that could be restored"
    return f"no models in {registry.settings.path} yet; add one: model-registry register PATH --name NAME"
