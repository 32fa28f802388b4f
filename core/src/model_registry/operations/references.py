"""References: a version in one text, ``name``, ``name:version`` or ``name@alias``."""

from __future__ import annotations

from model_registry.operations.context import Context
from model_registry.operations.entries import LATEST, entry_of, require
from model_registry.records import ModelEntry


def entry_for(context: Context, reference: str | ModelEntry) -> ModelEntry:
    """The entry that a reference means; the latest version of a model that is only named. An entry is itself.

    :raises InvalidNameError: for what can be no reference.
    :raises ModelNotFoundError: naming models that are called nearly so.
    :raises VersionNotFoundError: naming the versions there are.
    """
    if isinstance(reference, ModelEntry):
        return reference
    return entry_of(context, require(context, *split(reference)))


def split(reference: str) -> tuple[str, str]:
    """The name, and the version; an alias is a version that begins with ``@``."""
    if isinstance(reference, str):
        name, colon, version = reference.partition(":")
        if colon:
            return name, version
        name, at, alias = reference.partition("@")
        if at:
            return name, f"@{alias}"
    return reference, LATEST
