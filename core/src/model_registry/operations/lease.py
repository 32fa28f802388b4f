"""A registration under way: its lease, its stage, and what is cleared up when it fails."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from model_registry import leases
from model_registry.catalog import LEASE_SECONDS, VersionRow
from model_registry.errors import ModelRegistryError, RegistrationLostError, StorageError
from model_registry.operations.context import Context
from model_registry.staged import StagedFile, place
from model_registry.staging import ParallelStage

logger = logging.getLogger("model_registry")

_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}


class Registration:
    """Holds a lease from entering to leaving. Leaving without :meth:`commit` leaves nothing behind.

    :param arrived: See :class:`ParallelStage`.
    """

    def __init__(self, context: Context, arrived: Mapping[Path, str] | None = None) -> None:
        self._context = context
        self._arrived = arrived or {}
        self._claimed: dict[str, None] = {}
        self._committing = False
        self._committed = False

    def __enter__(self) -> Registration:
        self.lease = self._context.catalog.begin(leases.owner())
        self._renewed = time.monotonic()
        alike = self._context.catalog.blobs_of_size
        self.stage = ParallelStage(
            self._context.blobs, self.lease, alike=alike, arrived=self._arrived, alive=self.keep_alive
        )
        return self

    @property
    def is_arrival(self) -> bool:
        """Whether the files came from elsewhere: then this process is not where they were made."""
        return bool(self._arrived)

    def keep_alive(self) -> None:
        """Say that there is progress, now and then; from any thread."""
        if time.monotonic() - self._renewed > LEASE_SECONDS / 6:
            self._renewed = time.monotonic()
            self._context.catalog.renew(self.lease)

    def claim(self, digests: Iterable[str]) -> None:
        """Keep blobs, those that there are and those to come, from being collected."""
        new = dict.fromkeys(digests, True).keys() - self._claimed.keys()
        self._claimed.update(dict.fromkeys(new))
        self._context.catalog.claim(self.lease, sorted(new))

    def secure(self, staged: Sequence[StagedFile]) -> None:
        """Claim the files' digests, and make the files blobs that survive a power cut."""
        self.claim(file.record.sha256 for file in staged)
        place(self._context.blobs, staged)

    def commit(self, row: VersionRow, staged: Sequence[StagedFile]) -> None:
        """Secure the files, and only then make the version visible."""
        self.secure(staged)
        self._committing = True
        self._context.catalog.commit(self.lease, row)
        self._committed = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stage.abandon()
        failure = self._failure(error)
        self._context.blobs.discard_staging(self.lease)  # first: on a full disk the catalog needs the room
        if not self._committed:
            self._give_up()
        if failure is not None:
            raise failure from error

    def _failure(self, error: BaseException | None) -> ModelRegistryError | None:
        """What to raise instead of an error of the system."""
        if not isinstance(error, OSError) or isinstance(error, ModelRegistryError) or not self._is_ours(error):
            return None
        if isinstance(error, FileNotFoundError):
            try:
                self._context.catalog.renew(self.lease)
            except RegistrationLostError as lost:  # whoever ended the lease discarded what was staged
                return lost
        return _storage_error(error)

    def _is_ours(self, error: OSError) -> bool:
        """Whether the disk failed, or something in the registry's folder; other errors are a custom loader's own."""
        about = Path(str(error.filename or ""))
        ours = (self._context.folder, self._context.blobs.staging(self.lease).parent.parent)
        return error.errno in _OF_THE_DISK or any(about.is_relative_to(folder) for folder in ours)

    def _give_up(self) -> None:
        """Take back what can be; whatever cannot be now, garbage collection will."""
        catalog, delete = self._context.catalog, self._context.blobs.delete
        try:
            if self._committing:
                # A commit that failed may still lie in the database's log, for a crash to bring back: what overwrites
                # it comes before its blobs go. Only if there is no room for that, making room comes first.
                try:
                    catalog.release(self.lease)
                except StorageError as error:
                    if not error.facts.get("full"):
                        raise
            catalog.release(self.lease, list(self._claimed), delete)
        except (OSError, RuntimeError):
            logger.warning("could not clear up after a failed registration; «model-registry gc» will", exc_info=True)


def _storage_error(error: OSError) -> StorageError:
    hint = "nothing became visible; check the disk"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "nothing became visible; free some space, «model-registry gc» may, and register again"
    what = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'unknown error')})"
    where = f": {error.filename}" if error.filename else ""
    return StorageError(f"the registry cannot be written: {what}{where}", hint=hint, path=error.filename)
