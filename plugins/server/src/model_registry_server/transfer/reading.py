"""Reading the files of a response: what the system has in memory at once, what the disk must bring in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from model_registry import StorageError
from model_registry_server.transfer.content import Buffer, FilePart, Piece
from model_registry_server.transfer.threads import in_thread

#: Bytes that are read and sent at once.
CHUNK = 1 << 20
#: Bytes that the disk is told to bring while others are sent.
_AHEAD = 8 << 20
#: Files that one response has open before they are needed; of further ones only the size is looked at.
_MOST_OPEN = 16
#: On other systems than Linux, and on some of its filesystems, everything is read in a thread.
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


class Files:
    """The files of one response. Close it in the end."""

    def __init__(self) -> None:
        self._open: dict[Path, int] = {}

    def look_at(self, pieces: Iterable[Piece]) -> None:
        """Open what will be read. The disk may have to be waited for.

        :raises StorageError: A file is missing or has not the size that it must have.
        """
        for piece in pieces:
            if isinstance(piece, FilePart) and piece.path not in self._open:
                self._look_at(piece)

    async def read(self, part: FilePart, start: int) -> Buffer:
        """Bytes of a part from ``start`` on: at least one, at most :data:`CHUNK`.

        :raises StorageError: They are not there any more.
        """
        descriptor = self._open.get(part.path)
        if descriptor is None:
            descriptor = await in_thread(self._opened, part)
        place, length = part.offset + start, min(part.length - start, CHUNK)
        data = _read_at_once(descriptor, place, length)
        if data is None:
            data = await in_thread(_read_from_disk, descriptor, place, length, part.path)
        if not len(data):
            raise StorageError(f"{part.path}: ends at byte {place:,} while it is sent", path=str(part.path))
        return data

    def done(self, part: FilePart) -> None:
        """The part's file is not needed any more; if it is, it will be opened again."""
        descriptor = self._open.pop(part.path, None)
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def _look_at(self, part: FilePart) -> None:
        if len(self._open) < _MOST_OPEN:
            self._opened(part)
            return
        try:
            size = os.stat(part.path).st_size
        except OSError as error:
            raise _cannot_read(part.path, error) from error
        _check_size(part, size)

    def _opened(self, part: FilePart) -> int:
        try:
            descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _cannot_read(part.path, error) from error
        self._open[part.path] = descriptor
        _check_size(part, os.fstat(descriptor).st_size)
        return descriptor


def _check_size(part: FilePart, size: int) -> None:
    if size != part.file_size:
        message = f"{part.path}: has {size:,} bytes instead of {part.file_size:,}"
        raise StorageError(message, hint="repair the registry", path=str(part.path))


def _cannot_read(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: {error.strerror}", hint="ask again; if that fails, repair", path=str(path))


def _read_at_once(descriptor: int, place: int, length: int) -> Buffer | None:
    """What is in the system's memory; None if the disk would have to be waited for.

    Each time into new memory: a transport may still hold what it could not send when it takes the next chunk.
    """
    if _NOWAIT is None:
        return None
    buffer = bytearray(length)
    try:
        count = os.preadv(descriptor, [buffer], place, _NOWAIT)
    except OSError:
        return None
    return memoryview(buffer)[:count]  # a view, because transports copy what remains of a bytearray


def _read_from_disk(descriptor: int, place: int, length: int, path: Path) -> bytes:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, place, _AHEAD, os.POSIX_FADV_WILLNEED)
    try:
        return os.pread(descriptor, length, place)
    except OSError as error:
        raise _cannot_read(path, error) from error
