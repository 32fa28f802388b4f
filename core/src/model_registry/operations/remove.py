"""Removing and restoring."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from model_registry.catalog import VersionRow
from model_registry.errors import VersionNotFoundError
from model_registry.names import check_alias, check_model_name
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, find, require
from model_registry.records import ModelEntry
from model_registry.versions import check_version

logger = logging.getLogger("model_registry")


def remove(context: Context, name: str, version: str | None) -> list[ModelEntry]:
    """Hide versions; without backups, forget them and free what nobody else uses."""
    check_model_name(name)
    if version is not None:
        row = find(context, name, version)
        if row is None:
            return []
        version = row.version
    keep = context.settings.backup_enabled
    rows = context.catalog.remove(name, version, keep=keep)
    if not keep:
        free(context, rows)
    return told(context, rows)


def free(context: Context, rows: Sequence[VersionRow]) -> None:
    """Free the blobs that only these forgotten versions needed, without looking at all the others."""
    digests = sorted({sha256 for row in rows for sha256, _, _ in row.blobs})
    if context.blobs.archived():
        from model_registry.operations.packs import collect_packs

        collect_packs(context, digests)
    context.catalog.collect(digests, context.blobs.delete)


def told(context: Context, rows: Sequence[VersionRow]) -> list[ModelEntry]:
    """The entries of removed versions, after the plugins were told."""
    entries = [entry_of(context, row) for row in rows]
    for entry in entries:
        logger.info("removed %s", entry.reference)
        context.plugins.notify("removed", entry=entry)
    return entries


def restore(context: Context, name: str, version: str | None) -> list[ModelEntry]:
    """Show removed versions again.

    :raises VersionNotFoundError: if there is nothing to restore.
    """
    check_model_name(name)
    rows = context.catalog.restore(name, None if version is None else _number(context, name, version))
    if not rows:
        what = name if version is None else f"{name}:{version}"
        raise VersionNotFoundError(
            f"{what} was not removed, or was forgotten since",
            hint="«model-registry list --removed» shows what can be restored",
            model=name,
            version=version,
        )
    entries = [entry_of(context, row) for row in rows]
    for entry in entries:
        logger.info("restored %s", entry.reference)
        context.plugins.notify("restored", entry=entry)
    return entries


def _number(context: Context, name: str, version: str) -> str:
    """The version that is meant, which an alias may still name although it was removed."""
    if not isinstance(version, str) or not version.startswith("@"):
        return check_version(version)
    row = context.catalog.aliases.get(name, check_alias(version))
    return (row or require(context, name, version)).version  # require says which aliases there are
