"""Backups of the catalog: taken on request, by collections, and now and then by whatever changes something."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry import leases
from model_registry.backups import Backups, stamp_at
from model_registry.catalog import actions
from model_registry.clock import DAY, now
from model_registry.errors import StorageError

if TYPE_CHECKING:
    from model_registry.operations.context import Context

logger = logging.getLogger("model_registry")

#: Seconds between two looks whether a backup is due.
_LOOK_AGAIN = 600.0


def backup(context: Context) -> Path:
    """See ``ModelRegistry.backup``."""
    lease = context.catalog.begin(leases.owner())  # so that no collection takes it for a leftover
    try:
        copy = context.blobs.staging(lease) / "catalog.sqlite"
        context.catalog.backup(copy)
        target = Backups(context.folder).publish(copy)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        reason = f"the catalog cannot be backed up: {error.strerror or error}"
        raise StorageError(reason, hint="check the disk", path=error.filename) from error
    finally:
        context.blobs.discard_staging(lease)
        context.catalog.release(lease)
    logger.info("backed up the catalog as %s", target)
    return target


class Keeper:
    """Listens to the catalog: notes every change that blobs cannot tell, and takes a backup once a day.

    It never raises: what was changed is changed. If a change could not be noted, the next one has all backed up.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._backups = Backups(context.folder)
        self._look_at = 0.0
        self._is_behind = False

    def __call__(self, told: Sequence[Mapping[str, Any]]) -> None:
        changes = [change for change in told if change["action"] != actions.REGISTERED]  # of which the blobs tell
        try:
            # Changes may have been made before while backups were not enabled.
            is_due = self._is_due() or self._is_behind or (bool(changes) and self._backups.newest() is None)
            if changes:
                self._note(changes)
            if is_due:
                backup(self._context)
                self._is_behind = False
        except (OSError, RuntimeError) as error:
            logger.warning("the catalog could not be backed up: %s", error)

    def _note(self, changes: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._backups.append(changes)
        except OSError:
            self._is_behind = True
            raise

    def _is_due(self) -> bool:
        if time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + _LOOK_AGAIN
        newest = self._backups.newest() or self._made()
        # One of the future says nothing: the clock was wrong then, or somebody made it up.
        return newest is not None and not stamp_at(now() - DAY) <= newest <= stamp_at(now() + DAY)

    def _made(self) -> str | None:
        """When the registry was made: its layout never changes."""
        try:
            return stamp_at(os.stat(self._context.folder / "oci-layout").st_mtime_ns // 1000)
        except OSError:
            return None
