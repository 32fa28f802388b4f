"""Lineage: what a version comes from, and what comes from it, walked both ways."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from model_registry.catalog import VersionRow
from model_registry.errors import InvalidMetadataError, InvalidNameError
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, require
from model_registry.operations.metadata import check_parent
from model_registry.operations.parents import ParentLike, parent_of
from model_registry.records import LineageNode, Parent


def lineage(context: Context, name: str, version: str, depth: int) -> LineageNode:
    """See ``ModelRegistry.lineage``."""
    row = require(context, name, version)
    node = _node(context, Parent("", row.name, row.version, row.digest), row)
    return evolve(
        node,
        parents=tuple(_ancestors(context, row, depth, {row.digest})),
        children=tuple(_descendants(context, row, depth, {row.digest})),
    )


def link(context: Context, name: str, version: str, parent: ParentLike, relation: str | None) -> Parent:
    """See ``ModelRegistry.link``."""
    row = require(context, name, version)
    found = _related(parent_of(context, parent), relation)
    if found.digest is not None and row.digest in {found.digest, *_digests_above(context, found)}:
        raise InvalidMetadataError(
            f"{found.reference} comes from {row.name}:{row.version}, so it cannot be its parent",
            hint="link them the other way round",
            field="parent",
        )
    context.catalog.lineage.link(row.name, row.version, found)
    return found


def unlink(context: Context, name: str, version: str, parent: ParentLike, relation: str | None) -> bool:
    """See ``ModelRegistry.unlink``."""
    row = require(context, name, version)
    return context.catalog.lineage.unlink(row.name, row.version, _related(parent_of(context, parent), relation))


def _related(parent: Parent, relation: str | None) -> Parent:
    return parent if relation is None else check_parent(evolve(parent, relation=relation))


def _node(context: Context, parent: Parent, row: VersionRow | None) -> LineageNode:
    if row is None:
        return LineageNode(parent, "unknown")
    return LineageNode(parent, "visible" if row.removed_at is None else "removed", entry_of(context, row))


def _ancestors(context: Context, row: VersionRow, depth: int, seen: set[str]) -> Iterator[LineageNode]:
    if depth == 0:
        return
    for parent in context.catalog.lineage.parents(row):
        found = _find(context, parent)
        node = _node(context, parent, found)
        if found is None:
            yield node
        elif found.digest in seen:
            yield evolve(node, repeated=True)
        else:
            seen.add(found.digest)
            yield evolve(node, parents=tuple(_ancestors(context, found, depth - 1, seen)))


def _descendants(context: Context, row: VersionRow, depth: int, seen: set[str]) -> Iterator[LineageNode]:
    if depth == 0:
        return
    for relation, child in context.catalog.lineage.children(row.digest):
        node = _node(context, Parent(relation, child.name, child.version, child.digest), child)
        if child.digest in seen:
            yield evolve(node, repeated=True)
        else:
            seen.add(child.digest)
            yield evolve(node, children=tuple(_descendants(context, child, depth - 1, seen)))


def _find(context: Context, parent: Parent) -> VersionRow | None:
    if parent.digest is None or parent.version is None:
        return None
    try:
        return context.catalog.lineage.find(parent.digest, parent.name, parent.version)
    except InvalidNameError:  # a name that only its manifest knows
        return None


def _digests_above(context: Context, parent: Parent) -> set[str]:
    """The digests of all that a parent comes from."""
    above: set[str] = set()
    row = _find(context, parent)
    todo = [] if row is None else [row]
    while todo:
        for further in context.catalog.lineage.parents(todo.pop()):
            found = _find(context, further)
            if found is not None and found.digest not in above:
                above.add(found.digest)
                todo.append(found)
    return above
