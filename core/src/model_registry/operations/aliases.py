"""Aliases: movable names of versions, whose moves can be taken back."""

from __future__ import annotations

import logging

from model_registry.catalog import VersionRow
from model_registry.names import check_alias, check_model_name
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, require
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
    row = context.catalog.aliases.undo(check_model_name(name), alias, expected=expected)
    return None if row is None else _told(context, alias, row)


def rollback(context: Context, name: str, alias: str) -> ModelEntry:
    """See ``ModelRegistry.rollback``."""
    alias = check_alias(alias)
    return _told(context, alias, context.catalog.aliases.rollback(check_model_name(name), alias))


def aliases(context: Context, name: str) -> dict[str, str]:
    """See ``ModelRegistry.aliases``."""
    return context.catalog.aliases.of_model(check_model_name(name))


def _told(context: Context, alias: str, row: VersionRow) -> ModelEntry:
    entry = entry_of(context, row)
    logger.info("alias @%s names %s", alias, entry.reference)
    return entry
