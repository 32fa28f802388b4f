"""Aliases: movable names of versions, whose moves can be taken back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from model_registry.catalog import VersionRow
from model_registry.errors import VersionNotFoundError
from model_registry.names import check_alias, check_model_name
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, no_alias, require
from model_registry.records import ModelEntry

logger = logging.getLogger("model_registry")


def set_alias(context: Context, name: str, alias: str, version: str) -> ModelEntry:
    """See ``ModelRegistry.set_alias``."""
    alias = check_alias(alias)
    found = require(context, name, version)
    return _told(context, alias, context.catalog.aliases.set(found.name, alias, found.version))


def delete_alias(context: Context, name: str, alias: str) -> bool:
    """See ``ModelRegistry.delete_alias``."""
    return context.catalog.aliases.delete(check_model_name(name), check_alias(alias))


def undo(context: Context, name: str, alias: str, expected: int | None) -> ModelEntry | None:
    """See ``ModelRegistry.undo_alias``."""
    alias = check_alias(alias)
    with _perhaps_never_made(context, check_model_name(name), alias):
        row = context.catalog.aliases.undo(name, alias, expected=expected)
    return None if row is None else _told(context, alias, row)


def rollback(context: Context, name: str, alias: str) -> ModelEntry:
    """See ``ModelRegistry.rollback``."""
    alias = check_alias(alias)
    with _perhaps_never_made(context, check_model_name(name), alias):
        row = context.catalog.aliases.rollback(name, alias)
    return _told(context, alias, row)


def aliases(context: Context, name: str) -> dict[str, str]:
    """See ``ModelRegistry.aliases``."""
    return context.catalog.aliases.of_model(check_model_name(name))


@contextmanager
def _perhaps_never_made(context: Context, name: str, alias: str) -> Iterator[None]:
    """Say of an alias that cannot go back because there never was one that there is none."""
    try:
        yield
    except VersionNotFoundError as error:
        catalog = context.catalog
        if catalog.aliases.get(name, alias) or catalog.history.events(name, alias=alias, limit=1):
            raise
        raise no_alias(context, name, f"@{alias}") from error


def _told(context: Context, alias: str, row: VersionRow) -> ModelEntry:
    entry = entry_of(context, row)
    logger.info("alias @%s names %s", alias, entry.reference)
    return entry
