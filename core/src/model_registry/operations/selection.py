"""Which versions many-at-once operations are about: all that a query finds, or those that are named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from model_registry.catalog import VersionRow
from model_registry.names import shown
from model_registry.operations.context import Context
from model_registry.operations.references import entry_for
from model_registry.operations.search import search
from model_registry.records import ModelEntry

#: The text of a query, or versions: ``"name:version"``, ``"name@alias"`` or entries.
Where = str | Iterable[str | ModelEntry]

_PAGE = 500


@frozen
class Selected:
    """A version that was selected. Its digest tells it from another that takes its name meanwhile."""

    name: str
    version: str
    digest: str
    size: int

    @property
    def reference(self) -> str:
        return shown(f"{self.name}:{self.version}")[1:-1]  # as it is, unless somebody forged it


def select(context: Context, where: Where) -> list[Selected]:
    """All of them, before anything is done to one: what is done must not change what is found.

    :raises ModelNotFoundError: for a named version that does not exist.
    """
    if not isinstance(where, str):
        found = (_selected(entry_for(context, reference)) for reference in where)
    elif where.strip():
        found = (_selected(entry) for entry in _found(context, where))
    else:
        # As the catalog has them, whoever wrote it: each is checked when its turn comes, and fails by itself.
        found = (Selected(row.name, row.version, row.digest, _size(row)) for row in _all(context))
    return list(dict.fromkeys(found))


def _size(row: VersionRow) -> int:
    return row.size if type(row.size) is int and row.size >= 0 else 0


def _selected(entry: ModelEntry) -> Selected:
    return Selected(entry.name, entry.version, entry.digest, entry.size)


def _found(context: Context, query: str) -> Iterator[ModelEntry]:
    cursor: str | None = None
    while True:
        page = search(context, query, limit=_PAGE, after=cursor)
        yield from page
        cursor = page.cursor
        if cursor is None:
            return


def _all(context: Context) -> Iterator[VersionRow]:
    after: tuple[str, str] | None = None
    # A forged row may be sorted elsewhere than its version says, and send us round in circles.
    seen: set[tuple[str, str] | None] = set()
    while after not in seen and (rows := context.catalog.versions(after=after, limit=_PAGE)):
        yield from rows
        seen.add(after)
        after = (rows[-1].name, rows[-1].version)
