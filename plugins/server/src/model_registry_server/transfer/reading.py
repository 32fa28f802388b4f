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
#: On other systems than Linux, and on some of its filesystems, everything is read in a thread.
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


class Files:
    """The files of one response, of which one is open at a time: it may be taken for hours. Close it in the end."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._descriptor = -1

    def look_at(self, pieces: Iterable[Piece]) -> None:
        """Open the first file that will be read, and look at the others. The disk may have to be waited for.

        :raises StorageError: A file is missing or has not the size that it must have.
        """
        for piece in pieces:
            if isinstance(piece, FilePart) and piece.path != self._path:
                if self._path is None:
                    self._open(piece)
                else:
                    _look_at(piece)

    async def read(self, part: FilePart, start: int) -> Buffer:
        """Bytes of a part from ``start`` on: at least one, at most :data:`CHUNK`.

        :raises StorageError: They are not there any more.
        """
        if part.path != self._path:
            await in_thread(self._open, part)
        place, length = part.offset + start, min(part.length - start, CHUNK)
        data = _read_at_once(self._descriptor, place, length)
        if data is None:
            data = await in_thread(_read_from_disk, self._descriptor, place, length, part.path)
        if not len(data):
            raise StorageError(f"{part.path}: ends at byte {place:,} while it is sent", path=str(part.path))
        return data

    def close(self) -> None:
        """Close what is open; what is read after that is opened again."""
        if self._path is not None:
            self._path = None
            os.close(self._descriptor)

    def _open(self, part: FilePart) -> None:
        self.close()
        try:
            self._descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _cannot_read(part.path, error) from error
        self._path = part.path
        _check_size(part, os.fstat(self._descriptor).st_size)


def _look_at(part: FilePart) -> None:
    try:
        size = os.stat(part.path).st_size
    except OSError as error:
        raise _cannot_read(part.path, error) from error
    _check_size(part, size)


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
