"""The stage of a registration: members are hashed, compared with what is stored, and written by several threads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Any

from attrs import frozen

from model_registry import workers
from model_registry.blobs import BlobStore
from model_registry.digests import CHUNK, sha256_of_buffers, sha256_of_file
from model_registry.durable import Buffer, sync_file, write_all, write_new
from model_registry.errors import IntegrityError, InvalidNameError, StorageError, UnsafeModelError
from model_registry.hookspecs import Source
from model_registry.manifest import media_type
from model_registry.names import check_member_path, check_member_paths
from model_registry.progress import aside, part
from model_registry.records import FileRecord


@frozen
class StagedFile:
    """A member with its digest, and where its bytes are.

    :param written: The staged file, or None if the blob store held the bytes already.
    :param write: Writes the bytes again and returns the file: the stored ones may be collected before they are claimed.
    """

    record: FileRecord
    written: Path | None
    write: Callable[[], Path]

    @property
    def blob(self) -> tuple[str, int, str]:
        """(sha256, size, path), as the catalog notes what a version needs."""
        return self.record.sha256, self.record.size, self.record.path


class ParallelStage:
    """See :class:`model_registry.hookspecs.Stage`. Work begins when a member is added.

    :param alive: Called after each member, from any thread: the registration is still at work.
    """

    def __init__(self, blobs: BlobStore, lease: str, alive: Callable[[], None] = lambda: None) -> None:
        self._blobs = blobs
        self._lease = lease
        self._alive = alive
        self._numbers = itertools.count()
        self._futures: dict[str, Future[StagedFile]] = {}
        self._directory: Path | None = None

    def add(self, path: str, source: Source, *, kind: str = "") -> None:
        check_member_path(path)
        if path in self._futures:
            raise InvalidNameError(f"member {path!r} is given twice", value=path)
        media = media_type(path, kind)
        self._submit(self._copy if isinstance(source, Path) else self._write_if_new, path, media, source)

    def add_known(self, sha256: str, size: int, find: Callable[[], Path]) -> None:
        """Add a blob of another registry; it is read only if ours lacks it, and verified while it is copied.

        :param find: Finds the file that has its bytes.
        """
        record = FileRecord("", size, sha256, "")
        self._submit(self._copy_if_new, sha256, "", (record, find))

    def directory(self) -> Path:
        if self._directory is None:
            self._directory = self._blobs.staging(self._lease) / "directory"
            self._directory.mkdir()
        return self._directory

    def finish(self) -> list[StagedFile]:
        """Every member, hashed and written, sorted by path. Raises the first failure of any thread."""
        for path, file in self._files_in_directory():
            if path in self._futures:
                raise InvalidNameError(f"member {path!r} is given twice", value=path)
            self._submit(self._adopt, check_member_path(path), media_type(path), file)
        check_member_paths(list(self._futures))
        return sorted(workers.gather(list(self._futures.values())), key=lambda staged: staged.record.path)

    def write_records(self, documents: Iterable[bytes]) -> list[StagedFile]:
        """Write the registry's own small records beside the members; they have no path."""
        return workers.run_all(partial(self._write_if_new, "", ""), documents)

    def abandon(self) -> None:
        """Wait until no thread writes here any more, whatever came of it."""
        for future in self._futures.values():
            future.cancel()
        for future in self._futures.values():
            if not future.cancelled():
                future.exception()

    def _submit(self, ingest: Callable[[str, str, Any], StagedFile], path: str, media: str, source: Any) -> None:
        def work() -> StagedFile:
            staged = ingest(path, media, source)
            self._alive()
            return staged

        self._futures[path] = workers.submit(work)

    def _files_in_directory(self) -> Iterator[tuple[str, Path]]:
        if self._directory is not None:
            yield from files_below(self._directory)

    def _write_if_new(self, path: str, media: str, source: Any) -> StagedFile:
        """Hash first, from memory: bytes that are stored already are never written."""
        buffers = _buffers(source)
        size = sum(memoryview(buffer).nbytes for buffer in buffers)
        with part(size, passes=2):
            record = FileRecord(path, size, sha256_of_buffers(buffers), media)
            write = partial(self._write_again, source, record)
            if self._blobs.is_intact(record.sha256, record.size):
                return StagedFile(record, None, write)
            return StagedFile(record, self._write(buffers), write)

    def _write_again(self, source: Any, record: FileRecord) -> Path:
        target = self._write(source)
        if sha256_of_file(target) != record.sha256:
            raise StorageError(f"member {record.path!r} changed while it was registered", hint="register it again")
        return target

    def _write(self, source: Any) -> Path:
        target = self._next()
        write_new(target, _buffers(source))
        return target

    def _copy(self, path: str, media: str, source: Path) -> StagedFile:
        """Read a user's file once, hashing what is written: the file may change while we look."""
        target = self._next()
        state, size = sha256(), 0
        buffer = memoryview(bytearray(CHUNK))
        reading = _open_source(source)
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with part(os.fstat(reading).st_size):
                while count := os.readv(reading, [buffer]):
                    state.update(buffer[:count])
                    size += write_all(writing, [buffer[:count]])
            os.fsync(writing)
        finally:
            os.close(reading)
            os.close(writing)
        return self._staged(FileRecord(path, size, state.hexdigest(), media), target)

    def _copy_if_new(self, path: str, media: str, known: tuple[FileRecord, Callable[[], Path]]) -> StagedFile:
        record, find = known
        write = partial(self._copy_verified, record, find)
        with part(record.size):
            if self._blobs.is_intact(record.sha256, record.size):
                return StagedFile(record, None, write)
            return StagedFile(record, write(), write)

    def _copy_verified(self, record: FileRecord, find: Callable[[], Path]) -> Path:
        source = find()
        copied = self._copy("", "", source)
        if (copied.record.sha256, copied.record.size) != (record.sha256, record.size):
            raise IntegrityError(
                f"{source} was changed: its bytes do not have the digest of its name",
                hint="nothing of it was kept; validate the registry that it is from",
                path=str(source),
                expected=record.sha256,
                found=copied.record.sha256,
            )
        return copied.write()

    def _adopt(self, path: str, media: str, file: Path) -> StagedFile:
        """Take a file that a library wrote into our own folder."""
        size = file.stat().st_size
        with part(size):
            record = FileRecord(path, size, sha256_of_file(file), media)
        sync_file(file)
        return self._staged(record, file)

    def _staged(self, record: FileRecord, file: Path) -> StagedFile:
        return StagedFile(record, file, lambda: file)

    def _next(self) -> Path:
        return self._blobs.staging(self._lease) / str(next(self._numbers))


def place(blobs: BlobStore, staged: Sequence[StagedFile]) -> None:
    """Make every file a blob, after its digest was claimed: from here on, what is stored stays stored."""

    def is_there(file: StagedFile) -> bool:
        if file.written is None:
            with aside():  # it was intact a moment ago, and counted
                return blobs.is_intact(file.record.sha256, file.record.size)
        # What was written is mostly new: only if a blob has its name is that worth reading.
        return blobs.size(file.record.sha256) is not None and blobs.is_intact(file.record.sha256, file.record.size)

    for file, is_present in zip(staged, workers.run_all(is_there, staged), strict=True):
        if not is_present:
            blobs.place(file.written or file.write(), file.record.sha256)
    blobs.sync()


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, file) of every file below a folder, sorted.

    :raises UnsafeModelError: for a link or anything else that is no plain file: it would bring in another file's bytes.
    """
    for root, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted([*names, *folders]):
            file = Path(root, name)
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise UnsafeModelError(
                    f"{file} is no plain file", hint="replace the link by what it points to", path=str(file)
                )
            if file.is_file():
                yield file.relative_to(folder).as_posix(), file


def _open_source(source: Path) -> int:
    """A file as it was found: if a link or a pipe has taken its place since, nothing is read and nothing waits."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        if S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise UnsafeModelError(f"{source} is no plain file", hint="replace it by one", path=str(source))
    except OSError as error:
        raise StorageError(
            f"{source} cannot be read: {error.strerror}", hint="check its permissions", path=str(source)
        ) from error


def _raise(error: OSError) -> None:
    raise error  # a folder that cannot be read must not count as empty


def _buffers(source: Any) -> list[Buffer]:
    given = source() if callable(source) else source
    return [given] if isinstance(given, (bytes, bytearray, memoryview)) else list(given)
