"""Which versions many-at-once operations are about: all that a query finds, or those that are named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from model_registry.catalog import VersionRow
from model_registry.names import check_model_name, shown
from model_registry.operations.context import Context
from model_registry.operations.references import entry_for
from model_registry.records import ModelEntry
from model_registry.search import parse

#: The text of a query, or versions: ``"name:version"``, ``"name@alias"`` or entries.
Where = str | Iterable[str | ModelEntry]

_PAGE = 500
#: How many versions of a model are looked at for files that a new one may share with them.
_NEWEST = 50


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
        found = map(selected, (entry_for(context, reference) for reference in where))
    else:
        # As the catalog has them, whoever wrote it: each is checked when its turn comes, and fails by itself.
        found = map(selected, _found(context, where) if where.strip() else _all(context))
    return list(dict.fromkeys(found))


def stored_blobs(context: Context, sizes: Mapping[str, int], name: str | None) -> set[str]:
    """See ``ModelRegistry.stored_blobs``."""
    known = set(sizes)
    if name is not None:
        check_model_name(name)
        newest = context.catalog.versions(name=name)[-_NEWEST:]
        known = {sha256 for version in newest for sha256, _ in context.catalog.blobs_of(version)}
    return {sha256 for sha256 in sizes.keys() & known if context.blobs.size(sha256) == sizes[sha256]}


def selected(version: VersionRow | ModelEntry) -> Selected:
    """A version that was found, whatever its row says."""
    size = version.size if type(version.size) is int and version.size >= 0 else 0
    return Selected(version.name, version.version, version.digest, size)


def _found(context: Context, text: str) -> Iterator[VersionRow]:
    query, place = parse(text), None
    while page := context.catalog.search(query, after=place, limit=_PAGE):
        yield from (row for row, _ in page)
        place = page[-1][1]


def _all(context: Context) -> Iterator[VersionRow]:
    after: tuple[str, str] | None = None
    # A forged row may be sorted elsewhere than its version says, and send us round in circles.
    seen: set[tuple[str, str] | None] = set()
    while after not in seen and (rows := context.catalog.versions(after=after, limit=_PAGE)):
        yield from rows
        seen.add(after)
        after = (rows[-1].name, rows[-1].version)
