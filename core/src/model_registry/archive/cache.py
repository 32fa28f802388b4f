"""Restored blobs: a folder that takes a bounded number of bytes; those give way that were not used for longest."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from model_registry.blobs.fingerprints import Fingerprint, Fingerprints
from model_registry.digests import is_sha256, sha256_of_file
from model_registry.durable import new_file

#: Seconds for which what was just restored, by any process, does not give way: somebody is about to open it.
_GRACE = 60.0
#: Seconds after which a use is noted again. Noting it costs hashing the file once more.
_NOTED = 3600.0
_USING = "using-"
#: Seconds after which what somebody began to restore is a leftover.
_LEFT = 24 * 3600.0


class Use:
    """Files of the cache that somebody uses: they do not give way, to nobody, while this lives in a living process.

    A file that lists them, with a lock on it that ends with the process.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        path = folder / f"{_USING}{os.urandom(8).hex()}"
        self._folder = folder
        with _lock(folder, fcntl.LOCK_SH):  # nobody takes it for a dead one before it is locked
            self._descriptor = os.open(path, flags, 0o666)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        weakref.finalize(self, _end, self._descriptor, path)

    def add(self, sha256: str) -> None:
        """From now on this one too. Whoever is making room now is waited for: then it is there or not."""
        with _lock(self._folder, fcntl.LOCK_SH):
            os.write(self._descriptor, f"{sha256}\n".encode())


@contextmanager
def _lock(folder: Path, how: int) -> Iterator[None]:
    """Held exclusively while room is made."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _end(descriptor: int, path: Path) -> None:
    path.unlink(missing_ok=True)
    os.close(descriptor)


class Cache:
    """Plain files by the SHA-256 of their bytes.

    Where the folder cannot be written, as in a registry that is mounted read-only, a temporary one of this process
    takes its place.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._fingerprints = Fingerprints(folder / "fingerprints.sqlite")

    def get(self, sha256: str, size: int) -> Path | None:
        """A restored blob, verified; None if it is not there, or was changed."""
        path = self._folder / sha256
        try:
            found = Fingerprint.of(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if found.size == size and (self._fingerprints.get(sha256) == found or self._holds(path, sha256)):
            self._note(path, sha256)
            return path
        with suppress(OSError):
            path.unlink()
        return None

    def _holds(self, path: Path, sha256: str) -> bool:
        before = Fingerprint.of(path)
        if sha256_of_file(path) != sha256:
            return False
        if before.is_settled() and Fingerprint.of(path) == before:
            self._fingerprints.remember(sha256, before)
        return True

    def _note(self, path: Path, sha256: str) -> None:
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _NOTED:
                os.utime(path)

    def add(self, sha256: str, size: int, restore: Callable[[int], None]) -> Path:
        """Have ``restore`` write and verify a blob, into a descriptor, and keep it."""
        try:
            self._folder.mkdir(exist_ok=True)
            self._make_room(size)
            path = self._write(sha256, restore)
            self._make_room(0)  # for what other threads and processes restored at the same time
            return path
        except OSError:
            if os.access(self._folder.parent, os.W_OK) and not os.path.lexists(self._folder):
                raise
            if os.access(self._folder, os.W_OK):
                raise
        self._folder = Path(tempfile.mkdtemp(prefix="model_registry-"))
        weakref.finalize(self, rmtree, self._folder, ignore_errors=True)
        self._fingerprints = Fingerprints(self._folder / "fingerprints.sqlite")
        return self._write(sha256, restore)

    def _write(self, sha256: str, restore: Callable[[int], None]) -> Path:
        temporary = self._folder / f"restoring-{os.urandom(8).hex()}"
        try:
            with new_file(temporary, mode=0o444) as descriptor:
                restore(descriptor)
            path = self._folder / sha256
            os.rename(temporary, path)
            return path
        finally:
            temporary.unlink(missing_ok=True)

    def use(self) -> Use | None:
        """For somebody who is about to use files of the cache; None where nothing can be written."""
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            return Use(self._folder)
        return None

    def _used(self) -> set[str]:
        """The files that somebody uses now; the lists of processes that ended are removed."""
        found: set[str] = set()
        for path in self._folder.glob(f"{_USING}*"):
            with suppress(OSError), path.open("r+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    found.update(file.read().decode().split())
                else:
                    path.unlink()
        return found

    def clear(self) -> int:
        """Drop everything; returns the bytes freed."""
        return self._drop(self._files(), grace=0.0)

    def bytes(self) -> int:
        """Bytes that it takes now."""
        return sum(size for _, size, _ in self._files())

    def _make_room(self, size: int) -> None:
        with _lock(self._folder, fcntl.LOCK_EX):
            self._give_way(size)

    def _give_way(self, size: int) -> None:
        files = self._files()
        surplus = sum(each for _, each, _ in files) + size - self._most
        if surplus <= 0:
            return
        in_use = self._used()
        for used, each, path in sorted(files):
            if surplus <= 0:
                break
            if path.name in in_use:
                continue
            surplus -= self._drop([(used, each, path)], _GRACE)

    def _drop(self, files: list[tuple[float, int, Path]], grace: float) -> int:
        freed = 0
        for used, size, path in files:
            wait = grace if is_sha256(path.name) else _LEFT
            if time.time() - used >= wait:
                with suppress(OSError):
                    path.unlink()
                    freed += size
        return freed

    def _files(self) -> list[tuple[float, int, Path]]:
        """(when it was used, its bytes, its path) of every file that is ours."""
        found = []
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self._folder) as entries:
            for entry in entries:
                if is_sha256(entry.name) or entry.name.startswith("restoring-"):
                    with suppress(FileNotFoundError):
                        stat = entry.stat(follow_symlinks=False)
                        found.append((stat.st_mtime, stat.st_size, Path(entry.path)))
        return found
