"""Versions as users say them: ``name``, ``name:version``, ``name@alias``, or an entry."""

from __future__ import annotations

from model_registry.errors import InvalidNameError
from model_registry.names import shown
from model_registry.operations.context import Context
from model_registry.operations.entries import LATEST, entry_of, require
from model_registry.records import ModelEntry


def split_reference(reference: str) -> tuple[str, str]:
    """(name, version), where the version may be ``@alias`` or ``latest``."""
    name, colon, version = reference.partition(":")
    if colon:
        return name, version
    name, at, alias = reference.partition("@")
    return name, f"@{alias}" if at else LATEST


def entry_for(context: Context, reference: str | ModelEntry) -> ModelEntry:
    """The entry that is meant.

    :raises ModelNotFoundError: if there is none.
    """
    if isinstance(reference, ModelEntry):
        return reference
    if not isinstance(reference, str):
        what = f"a {type(reference).__name__} ({shown(reference)})"
        raise InvalidNameError(f"a reference is a text or an entry, not {what}", hint='give "name:version"')
    return entry_of(context, require(context, *split_reference(reference)))
