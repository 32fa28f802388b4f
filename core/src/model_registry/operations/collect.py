"""Giving the space back: what was removed long ago is forgotten, and what nobody needs is unlinked."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from model_registry import leases
from model_registry.clock import DAY, now
from model_registry.errors import ModelRegistryError, StorageError, UnsupportedFormatError
from model_registry.operations.archive import archive
from model_registry.operations.backup import backup
from model_registry.operations.context import Context
from model_registry.operations.packs import collect_packs
from model_registry.progress import item_done
from model_registry.records import CollectReport

logger = logging.getLogger("model_registry")

#: Blobs that are looked at before progress is told. The catalog takes as many in one transaction.
_BATCH = 500


def collect(context: Context, keep_removed_days: float | None = None) -> CollectReport:
    """Forget what was removed long enough ago, and free every blob that nothing needs.

    Safe beside any number of registrations in other processes: their leases protect what they have staged and claimed.
    """
    days = context.settings.keep_removed_days if keep_removed_days is None else keep_removed_days
    staged = set(context.blobs.staged_leases())  # before asking who lives: a lease is older than its folder
    for lease in staged - context.catalog.reap_leases(leases.is_dead, leases.is_alive):
        context.blobs.discard_staging(lease)
    versions = context.catalog.purge(now() - int(days * DAY))
    if context.settings.auto_archive:
        try:
            archive(context, None, None, False)
        except UnsupportedFormatError as error:
            logger.warning("nothing could be archived: %s", error)
    packs, packed = collect_packs(context)
    digests = list(context.blobs.digests())
    try:
        with context.progress.operation("collecting", items_total=len(digests)):
            blobs, size = _collect(context, digests)
    except PermissionError as error:
        raise StorageError(
            f"a blob cannot be deleted: {error}", hint="check who owns it", path=error.filename
        ) from error
    except OSError as error:
        if isinstance(error, ModelRegistryError):
            raise
        raise StorageError(f"a blob cannot be deleted: {error}", hint="check the disk", path=error.filename) from error
    if context.settings.backup_enabled:
        try:
            backup(context)
        except OSError as error:
            logger.warning("the catalog could not be backed up: %s", error)
    size += packed
    logger.info("collected %d versions, %d blobs, %d packs, %d bytes", versions, blobs, packs, size)
    return CollectReport(versions, blobs, size, packs)


def _collect(context: Context, digests: Sequence[str]) -> tuple[int, int]:
    """How many blobs were freed, and their bytes."""
    blobs = size = 0
    for start in range(0, len(digests), _BATCH):
        batch = digests[start : start + _BATCH]
        freed = context.catalog.collect(batch, context.blobs.delete)
        blobs, size = blobs + freed[0], size + freed[1]
        item_done(len(batch))
    return blobs, size
