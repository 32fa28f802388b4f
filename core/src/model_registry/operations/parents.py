"""What a version comes from: from what a caller gives to a checked record."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from model_registry.errors import InvalidMetadataError
from model_registry.names import shown
from model_registry.operations.context import Context
from model_registry.operations.metadata import check_parent
from model_registry.operations.references import entry_for
from model_registry.records import ModelEntry, Parent

#: What may be given as a parent: a reference such as ``"base:1.0.0"`` or ``"base@champion"``, an entry, or a record.
ParentLike = str | ModelEntry | Parent

DERIVED = "derived"


def parents_of(context: Context, given: ParentLike | Sequence[ParentLike]) -> list[Parent]:
    """The parents that a caller names, each with its digest if it is a version of this registry.

    :raises ModelNotFoundError: for a reference to nothing.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [parent_of(context, item) for item in several]


def parent_of(context: Context, given: ParentLike) -> Parent:
    """One parent."""
    if isinstance(given, Parent):
        return _completed(context, check_parent(given))
    if isinstance(given, (str, ModelEntry)):
        entry = entry_for(context, given)
        return Parent(DERIVED, entry.name, entry.version, entry.digest)
    hint = 'give "name:version", an entry of the registry, or Parent("dataset", "name")'
    raise InvalidMetadataError(f"parent is {shown(given)}, a {type(given).__name__}", hint=hint, field="parent")


def _completed(context: Context, parent: Parent) -> Parent:
    """With the version and digest of a model of this registry; as it is if it names something else."""
    if parent.digest is not None or parent.relation == "dataset":
        return parent
    entry = entry_for(context, parent.reference)
    return evolve(parent, name=entry.name, version=entry.version, digest=entry.digest)
