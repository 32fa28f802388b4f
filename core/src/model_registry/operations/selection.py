"""Which versions many-at-once operations are about: all that a query finds, or those that are named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from attrs import frozen

from model_registry.catalog import VersionRow
from model_registry.names import shown
from model_registry.operations.context import Context
from model_registry.operations.references import entry_for
from model_registry.records import ModelEntry

#: The text of a query, or versions: ``"name:version"``, ``"name@alias"`` or entries.
Where = str | Iterable[str | ModelEntry]

_PAGE = 500


class Page(Protocol):
    """A page of what a search found."""

    @property
    def cursor(self) -> Any:
        """Where the next page begins; None after the last."""

    def __iter__(self) -> Iterator[ModelEntry]: ...


class Searching(Protocol):
    """A registry that can be searched, as :class:`model_registry.ModelRegistry` can."""

    def search(self, query: str, *, limit: int, after: Any) -> Page: ...


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


def select(context: Context, where: Where, registry: Searching) -> list[Selected]:
    """All of them, before anything is done to one: what is done must not change what is found.

    :raises ModelNotFoundError: for a named version that does not exist.
    """
    if not isinstance(where, str):
        found = (_selected(entry_for(context, reference)) for reference in where)
    elif where.strip():
        found = (_selected(entry) for entry in _found(registry, where))
    else:
        # As the catalog has them, whoever wrote it: each is checked when its turn comes, and fails by itself.
        found = (Selected(row.name, row.version, row.digest, _size(row)) for row in _all(context))
    return list(dict.fromkeys(found))


def _size(row: VersionRow) -> int:
    return row.size if type(row.size) is int and row.size >= 0 else 0


def _selected(entry: ModelEntry) -> Selected:
    return Selected(entry.name, entry.version, entry.digest, entry.size)


def _found(registry: Searching, query: str) -> Iterator[ModelEntry]:
    cursor: Any = None
    while True:
        page = registry.search(query, limit=_PAGE, after=cursor)
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
