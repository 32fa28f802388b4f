"""What the API says of things, beside what the core's documents say already."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from model_registry import LineageNode, ModelEntry, ModelRegistry, SearchPage
from model_registry.documents import facts_document, origin_document, version_document
from model_registry.errors import InvalidQueryError
from model_registry_server.security.roles import Caller, Role
from model_registry_server.visible import FEW, require_searchable, visible_versions

Document = dict[str, Any]

#: Bytes that a search reads at once for a caller who may not see all, if what comes is like what came before; and the
#: most versions.
_READ_BYTES, _MANY = 32 << 20, 500
#: Of metadata in one page; at least one version is told.
_MOST_BYTES = 4 << 20


def bytes_of(value: Any) -> int:
    """How many bytes a value takes in an answer, nearly."""
    return len(repr(value).encode(errors="replace"))


def listed(entry: ModelEntry, caller: Caller | None) -> Document:
    """A version in a list.

    :param caller: To whom it is told. Of what it comes from, those models are left out that the caller may not see; the
        version's own documents, by which it can be copied, name them. None may see all.
    """
    document = {**version_document(entry), "description": entry.description}
    if caller is None or caller.sees_all:
        return document
    parents = [parent for parent in entry.metadata.parents if caller.may(Role.READER, parent.name)]
    return {**document, "metadata": evolve(entry.metadata, parents=parents)}


def without_hidden_parents(version: Mapping[str, Any], caller: Caller) -> Document:
    """The same of a *version* that JSON has said already, such as one that a worker tells of."""
    metadata = version["metadata"]
    return {**version, "metadata": {**metadata, "parents": visible_parents(metadata["parents"], caller)}}


def visible_parents(parents: Iterable[Any], caller: Caller) -> list[Any]:
    """Those that the caller may see, of parents as JSON has them: records, or texts such as ``name:version``."""
    return [parent for parent in parents if caller.may(Role.READER, model_of(parent))]


def model_of(parent: Any) -> str:
    """The name of the model that a parent, as JSON has it, is a version of."""
    if isinstance(parent, Mapping):
        return str(parent["name"])
    return str(parent).partition(":")[0].partition("@")[0]


def details(registry: ModelRegistry, entry: ModelEntry, caller: Caller) -> Document:
    """All that is known of a version without opening its files."""
    node = registry.lineage(entry.name, entry.version, depth=1)
    children = [child.parent for child in node.children if caller.may(Role.READER, child.parent.name)]
    parents = [parent for parent in entry.parents if caller.may(Role.READER, parent.name)]
    model = {"description": registry.description(entry.name), "tags": registry.tags(entry.name)}
    contents = {"files": entry.files, "parents": parents, "children": children, "model": model}
    return {**listed(entry, caller), **facts_document(entry), **origin_document(entry), **contents}


def lineage(node: LineageNode, caller: Caller) -> Document:
    """A node of the lineage, as the command line's; of a model that the caller may not see, no more than its place."""
    visible = caller.may(Role.READER, node.parent.name)
    return {
        "relation": node.parent.relation,
        "name": node.parent.name if visible else None,
        "version": node.parent.version if visible else None,
        "digest": node.parent.digest if visible else None,
        "state": node.state if visible else "hidden",
        "repeated": node.repeated,
        "entry": listed(node.entry, caller) if visible and node.entry is not None else None,
        "parents": [lineage(parent, caller) for parent in node.parents] if visible else [],
        "children": [lineage(child, caller) for child in node.children] if visible else [],
    }


def page_of_models(registry: ModelRegistry, caller: Caller, after: str | None, limit: int, **filters: Any) -> Document:
    """A page of a listing, of those that the caller may see."""
    page = _Page(limit, caller)
    for entry in visible_versions(registry, caller, _place(after), limit + 1, **filters):
        if page.is_full:
            return page.document(_cursor(page.last))
        page.add(entry)
    return page.document(None)


def page_of_search(registry: ModelRegistry, caller: Caller, query: str, after: str | None, limit: int) -> Document:
    """A page of a search, of those that the caller may see.

    Its cursor stands at the last of them: one that stood at another would tell of it.

    :raises InvalidQueryError: for a mistake in the query, or a field that tells of models that the caller may not see.
    """
    require_searchable(query, caller)
    page = _Page(limit, caller)
    begin, taken = after, 0
    start, size = after, min(limit + 1, FEW) if caller.sees_all else FEW
    while True:
        found = registry.search(query, limit=size, after=start)
        if not caller.sees_all:
            size = _next_size(size, found)
        for number, entry in enumerate(found, start=1):
            if not caller.may(Role.READER, entry.name):
                continue
            if page.is_full:
                return page.document(registry.search(query, limit=taken, after=begin).cursor)
            page.add(entry)
            begin, taken = start, number
        if found.cursor is None:
            return page.document(None)
        start = found.cursor
        del found  # before the next ones are read


def _next_size(size: int, found: SearchPage) -> int:
    """How many versions are read next: some orders make the catalog go over all versions for each page of them."""
    largest = max(map(_bytes_of_entry, found), default=0)
    return max(min(2 * size, _MANY, _READ_BYTES // max(largest, 1)), FEW)


def _bytes_of_entry(entry: ModelEntry) -> int:
    return bytes_of(entry.metadata) + bytes_of(entry.description)


class _Page:
    """Versions, up to a number and an amount of text: what somebody says of a version may be megabytes."""

    def __init__(self, limit: int, caller: Caller) -> None:
        self._limit = limit
        self._caller = caller
        self._bytes = 0
        self._found: list[ModelEntry] = []

    @property
    def is_full(self) -> bool:
        return len(self._found) == self._limit or self._bytes > _MOST_BYTES

    @property
    def last(self) -> ModelEntry:
        return self._found[-1]

    def add(self, entry: ModelEntry) -> None:
        self._found.append(entry)
        self._bytes += _bytes_of_entry(entry)

    def document(self, cursor: str | None) -> Document:
        return {"versions": [listed(entry, self._caller) for entry in self._found], "cursor": cursor}


def _cursor(last: ModelEntry) -> str:
    text = json.dumps([last.name, last.version], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        name, version = json.loads(base64.urlsafe_b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}"))
        if not (isinstance(name, str) and isinstance(version, str)):
            raise ValueError("no texts")
        (name + version).encode()
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        hint = "pass the cursor of the page before"
        raise InvalidQueryError(f"{cursor[:80]!r} is no cursor", hint=hint, query="", column=None) from error
    return name, version
