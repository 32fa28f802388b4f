"""Writing what arrives to a file: in batches, by a thread that hashes and writes one while the next one arrives."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from model_registry import StorageError
from model_registry_server.transfer.content import Buffer
from model_registry_server.transfer.errors import ConflictError, OffsetError
from model_registry_server.transfer.hashing import RunningHash
from model_registry_server.transfer.threads import begin, ended, in_thread

#: A batch is written when it has so many bytes, or is of so many pieces: more than 1,024 are an error to ``writev``.
_BATCH_BYTES = 1 << 20
_BATCH_PIECES = 500
#: Bytes after which the disk is told to begin with them, so that the sync at the end finds most of it done.
_WRITE_BEHIND = 8 << 20


class Writer:
    """Appends to a file, which has one writer at a time, whichever process that is in.

    ``async with Writer(…) as writer:`` opens and closes it. However the block ends, the file then holds just the bytes
    that ``running`` has seen, and these are all that were given to :meth:`write`, unless the disk refused some.

    :param path: Made if it is missing; readable by nobody else then.
    :param running: The hash of what the file has now; it goes on.
    :param part: A hash of what is written this time.
    :raises OffsetError: The file has not the size that ``running`` has seen.
    :raises ConflictError: Somebody else is writing it.
    :raises StorageError: The disk refused.
    """

    def __init__(self, path: Path, running: RunningHash, part: RunningHash | None = None) -> None:
        self.path = path
        self.running = running
        self._hashes = [running] if part is None else [running, part]
        self._descriptor = -1
        self._new = False
        self._batch: list[Buffer] = []
        self._batch_bytes = 0
        self._storing: asyncio.Future[None] | None = None
        self._begun = running.size
        self._failed = False

    async def __aenter__(self) -> Writer:
        try:
            await in_thread(self._open)
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        try:
            if kind is None:
                await self.flush()
            else:
                with suppress(StorageError):  # the first error is the one to tell
                    await self.flush()
        finally:
            self._close()

    async def write(self, data: Buffer) -> None:
        """Take bytes, which must not change any more. Waits if the disk is slower than whoever sends them."""
        self._batch.append(data)
        self._batch_bytes += len(data)
        if self._batch_bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_PIECES:
            await self._store_batch()

    async def flush(self) -> None:
        """Wait until all bytes are in the file, though perhaps not yet on the disk."""
        if self._batch:
            await self._store_batch()
        await self._stored()

    async def sync(self) -> None:
        """Wait until all bytes are on the disk.

        :raises StorageError: They are not. The file is empty then, since any part of it may be lost.
        """
        await self.flush()
        await in_thread(self._sync)

    async def _store_batch(self) -> None:
        await self._stored()
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        self._storing = begin(self._store, batch)

    async def _stored(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            await ended(storing)

    def _open(self) -> None:
        try:
            self._new = not self.path.exists()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o600)
            self._lock()
            size = os.fstat(self._descriptor).st_size
        except OSError as error:
            self._refuse(error)
        check_offset(self.running.size, size)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = "somebody else is sending this file"
            raise ConflictError(message, hint="try again when they have ended", path=str(self.path)) from error
        except OSError:
            pass  # a filesystem without locks; within this process, callers see to it

    def _store(self, batch: Sequence[Buffer]) -> None:
        if self._failed:
            return  # what comes after bytes that are missing must not take their place
        try:
            _write_all(self._descriptor, batch)
        except OSError as error:
            self._failed = True
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.running.size)
            self._refuse(error)
        for running in self._hashes:
            for data in batch:
                running.update(data)
        length = self.running.size - self._begun
        if length >= _WRITE_BEHIND and hasattr(os, "posix_fadvise"):
            # Linux begins to write dirty pages that are said not to be needed, and keeps them until that is done.
            os.posix_fadvise(self._descriptor, self._begun, length, os.POSIX_FADV_DONTNEED)
            self._begun = self.running.size

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
            if self._new:
                _sync_folder(self.path.parent)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            self._refuse(error)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _refuse(self, error: OSError) -> NoReturn:
        hint = "make room or look at the disk, then send it again"
        raise StorageError(f"{self.path}: {error.strerror}", hint=hint, path=str(self.path)) from error


def check_offset(given: int, size: int) -> None:
    """:raises OffsetError: A part that begins at ``given`` does not continue a file of ``size`` bytes."""
    if given != size:
        message = f"the part begins at byte {given:,}, the file ends at {size:,}"
        raise OffsetError(message, hint=f"go on at byte {size}", offset=size, given=given)


def _write_all(descriptor: int, batch: Sequence[Buffer]) -> None:
    """Write every byte, however the system cuts the writes."""
    pending = list(batch)
    written = 0
    while pending:
        while pending and written >= len(pending[0]):
            written -= len(pending.pop(0))
        if pending:
            pending[0] = memoryview(pending[0])[written:]
            written = os.writev(descriptor, pending)


def _sync_folder(path: Path) -> None:
    """Without it, a new file is gone after a power cut, however often it was synced."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
