"""A registration under way: its lease, its stage, and what is cleared up when it fails."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Sequence
from types import TracebackType

from model_registry import leases
from model_registry.catalog import LEASE_SECONDS, VersionRow
from model_registry.errors import ModelRegistryError, StorageError
from model_registry.operations.context import Context
from model_registry.staging import ParallelStage, StagedFile, place

logger = logging.getLogger("model_registry")


class Registration:
    """Holds a lease from entering to leaving. Leaving without :meth:`commit` leaves nothing behind."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._claimed: list[str] = []
        self._committed = False

    def __enter__(self) -> Registration:
        self.lease = self._context.catalog.begin(leases.owner())
        self._renewed = time.monotonic()
        self.stage = ParallelStage(self._context.blobs, self.lease, self._keep_alive)
        return self

    def _keep_alive(self) -> None:
        if time.monotonic() - self._renewed > LEASE_SECONDS / 6:
            self._renewed = time.monotonic()
            self._context.catalog.renew(self.lease)

    def commit(self, row: VersionRow, staged: Sequence[StagedFile]) -> None:
        """Claim, place, sync, and only then make visible."""
        self._claimed = [file.record.sha256 for file in staged]
        self._context.catalog.claim(self.lease, self._claimed)
        place(self._context.blobs, staged)
        self._context.catalog.commit(self.lease, row)
        self._committed = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._committed:
            self._give_up()
        self._context.blobs.discard_staging(self.lease)
        if isinstance(error, OSError) and not isinstance(error, ModelRegistryError):
            raise _storage_error(error) from error

    def _give_up(self) -> None:
        """Take back what can be; whatever cannot be now, garbage collection will."""
        try:
            self.stage.abandon()
            self._context.catalog.release(self.lease)
            self._context.catalog.collect(self._claimed, self._context.blobs.delete)
        except (OSError, RuntimeError):
            logger.warning("could not clear up after a failed registration; «model-registry gc» will", exc_info=True)


def _storage_error(error: OSError) -> StorageError:
    hint = "nothing became visible; check the disk"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "nothing became visible; free some space, «model-registry gc» may, and register again"
    what = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
    where = f": {error.filename}" if error.filename else ""
    return StorageError(f"the registry cannot be written: {what}{where}", hint=hint, path=error.filename)
