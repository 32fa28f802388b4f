"""Writing so that a power cut takes nothing back, and asking the disk only once.

An ``fsync`` that fails is never retried: the kernel may have dropped the pages and would report success.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from model_registry.progress import advance

Buffer = bytes | bytearray | memoryview

#: More buffers than this in one ``writev`` is an error on Linux (IOV_MAX).
_MOST_BUFFERS = 512
#: Bytes of one ``writev``, so that a large file is seen to grow.
_MOST_BYTES = 8 << 20
#: Bytes after which the disk is told to begin with them.
WRITE_BEHIND = 8 << 20
#: Files that are open at once while they are synced.
_MOST_OPEN = 64


@contextmanager
def new_file(path: Path, *, mode: int = 0o666) -> Iterator[int]:
    """A descriptor to write a file that does not exist yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write_new(path: Path, buffers: Iterable[Buffer], *, sync: bool = True) -> int:
    """Write a file that does not exist yet, and sync it. Returns its bytes. The directory is left to the caller."""
    with new_file(path) as descriptor:
        size = write_all(descriptor, buffers, sync_soon=sync)
        if sync:
            os.fsync(descriptor)
    return size


def write_all(descriptor: int, buffers: Iterable[Buffer], *, sync_soon: bool = False) -> int:
    """Write every byte of the buffers, however the system cuts the writes.

    :param sync_soon: The file will be synced, so the disk may begin now.
    """
    pending = [view for view in (memoryview(buffer).cast("B") for buffer in buffers) if view.nbytes]
    total = begun = 0
    while pending:
        written = os.writev(descriptor, _next(pending))
        total += written
        advance(written)
        if sync_soon and total - begun >= WRITE_BEHIND:
            write_behind(descriptor, begun, total - begun)
            begun = total
        while pending and written >= pending[0].nbytes:
            written -= pending.pop(0).nbytes
        if written:
            pending[0] = pending[0][written:]
    return total


def write_behind(descriptor: int, start: int, length: int) -> None:
    """Let the disk begin with what was just written, so that a later sync finds it done; nothing waits for that.

    Linux begins to write dirty pages that are said not to be needed, and keeps them until that is done.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


def copy_file(source: Path, target: Path) -> None:
    """Write the bytes of a file to another one, which is left to the caller to sync."""
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        copy(reading.fileno(), writing.fileno())


def copy(source: int, target: int) -> None:
    """The same, of open files."""
    buffer = memoryview(bytearray(1 << 20))
    while count := os.readv(source, [buffer]):
        write_all(target, [buffer[:count]])


def _next(pending: Sequence[memoryview]) -> list[memoryview]:
    """What to write at once: a part of the first buffer, or as many whole ones as fit."""
    if pending[0].nbytes >= _MOST_BYTES:
        return [pending[0][:_MOST_BYTES]]
    size, chosen = 0, []
    for view in pending[:_MOST_BUFFERS]:
        size += view.nbytes
        if size > _MOST_BYTES:
            break
        chosen.append(view)
    return chosen


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_files(paths: Sequence[Path]) -> None:
    """Force the bytes of small files to the disk, which writes them all in one go instead of one after the other."""
    for start in range(0, len(paths), _MOST_OPEN):
        with ExitStack() as stack:
            descriptors = []
            for path in paths[start : start + _MOST_OPEN]:
                descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                stack.callback(os.close, descriptors[-1])
            if len(descriptors) > 1 and hasattr(os, "posix_fadvise"):
                for descriptor in descriptors:  # the writing begins; Linux then finds the rest done at the first fsync
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            for descriptor in descriptors:
                os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk: without it, a file renamed into it is gone after a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and its parents where they are missing, and force their entries to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def publish(path: Path, data: bytes, temporary: Path) -> None:
    """Write a small file atomically and durably, unless it exists already.

    :param temporary: A path of the same filesystem to write it at first.
    """
    try:
        write_new(temporary, [data])
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first, with the same bytes
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
