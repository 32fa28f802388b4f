"""Versions and parents as users say them, found at the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from model_registry import ModelEntry, Parent
from model_registry.errors import InvalidNameError

#: What may be given as a parent: a reference such as ``"base:1.0.0"``, an entry, or a record.
ParentLike = str | ModelEntry | Parent
Resolve = Callable[[str, str], ModelEntry]

LATEST = "latest"


def split_reference(reference: str) -> tuple[str, str]:
    """(name, version), where the version may be ``@alias`` or ``latest``."""
    name, colon, version = reference.partition(":")
    if colon:
        return name, version
    name, at, alias = reference.partition("@")
    return name, f"@{alias}" if at else LATEST


def entry_for(reference: str | ModelEntry, resolve: Resolve) -> ModelEntry:
    """The entry that is meant."""
    if isinstance(reference, ModelEntry):
        return reference
    if not isinstance(reference, str):
        what = f"a {type(reference).__name__} ({reference!r:.80})"
        raise InvalidNameError(f"a reference is a text or an entry, not {what}", hint='give "name:version"')
    return resolve(*split_reference(reference))


def parents_of(given: ParentLike | Sequence[ParentLike], resolve: Resolve) -> list[Any]:
    """The parents that a caller names, with their digests: the cache need not have them. What is none stays."""
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [parent_of(each, resolve) for each in several]


def parent_of(given: Any, resolve: Resolve) -> Any:
    """One parent."""
    if isinstance(given, Parent):
        if given.digest is not None or given.relation == "dataset":
            return given
        entry = entry_for(given.reference, resolve)
        return evolve(given, name=entry.name, version=entry.version, digest=entry.digest)
    if isinstance(given, (str, ModelEntry)):
        entry = entry_for(given, resolve)
        return Parent("derived", entry.name, entry.version, entry.digest)
    return given
