"""Locks between processes and threads, each a file. A file that nobody used for long is swept, under its own lock."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Whoever else locks this path waits until the block has ended."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with suppress(OSError):  # a file system without locks: a version that came twice is refused, no more
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_swept(descriptor):  # while it was waited for: others lock the file that is there now
                continue
            with suppress(OSError):
                os.utime(descriptor)
            yield
            return
        finally:
            os.close(descriptor)


def sweep(folder: Path, seconds: float) -> None:
    """Remove the files of locks that nobody has taken for so long, or has now."""
    for path in folder.iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > seconds:
                _remove(path)


def _remove(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_swept(descriptor):  # by another process: the path may be of another file by now
            path.unlink()
    finally:
        os.close(descriptor)


def _is_swept(descriptor: int) -> bool:
    return os.fstat(descriptor).st_nlink == 0
