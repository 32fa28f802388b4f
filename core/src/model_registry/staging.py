"""The stage of a registration: members are hashed, compared with what is stored, and written by several threads."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import evolve

from model_registry import workers
from model_registry.blobs import BlobStore
from model_registry.digests import CHUNK, sha256_of_buffers, sha256_of_descriptor, sha256_of_file
from model_registry.durable import WRITE_BEHIND, Buffer, new_file, sync_file, write_all, write_behind, write_new
from model_registry.errors import IntegrityError, InvalidNameError, StorageError
from model_registry.hookspecs import Source
from model_registry.manifest import media_type
from model_registry.names import check_member_path, check_member_paths
from model_registry.plain_files import files_below, open_plain, seem_equal
from model_registry.progress import aside, part
from model_registry.records import FileRecord
from model_registry.staged import SMALL, StagedFile


class ParallelStage:
    """See :class:`model_registry.hookspecs.Stage`. Work begins when a member is added.

    :param alike: Digests of the blobs with so many bytes, as far as it is worth comparing a file with them.
    :param arrived: Files that came from elsewhere, by path, with the digests that they had then: they are moved.
    :param alive: Called after each member, from any thread: the registration is still at work.
    """

    def __init__(
        self,
        blobs: BlobStore,
        lease: str,
        *,
        alike: Callable[[int], Sequence[str]] = lambda size: (),
        arrived: Mapping[Path, str] = MappingProxyType({}),
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._blobs = blobs
        self._lease = lease
        self._alike = alike
        self._arrived = {path.resolve(): sha256 for path, sha256 in arrived.items()}
        self._alive = alive
        self._numbers = itertools.count()
        self._futures: dict[str, Future[StagedFile]] = {}
        self._directory: Path | None = None

    @cached_property
    def _folder(self) -> Path:
        return self._blobs.staging(self._lease)

    def add(self, path: str, source: Source, *, kind: str = "") -> None:
        check_member_path(path)
        if path in self._futures:
            raise InvalidNameError(f"member {path!r} is given twice", value=path)
        ingest = self._take if isinstance(source, Path) else self._write_if_new
        self._do(ingest, path, media_type(path, kind), source, at_once=_is_small(source))

    def add_known(self, sha256: str, size: int, find: Callable[[], Path]) -> None:
        """Add a blob of another registry; it is read only if ours lacks it, and verified while it is copied.

        :param find: Finds the file that has its bytes; it need not be one that arrived, which would be moved.
        """
        record = FileRecord("", size, sha256, "")
        self._do(self._copy_if_new, sha256, "", (record, find))

    def directory(self) -> Path:
        if self._directory is None:
            self._directory = self._folder / "directory"
            self._directory.mkdir()
        return self._directory

    def finish(self) -> list[StagedFile]:
        """Every member, hashed and written, sorted by path. Raises the first failure of any thread."""
        for path, file in self._files_in_directory():
            if path in self._futures:
                raise InvalidNameError(f"member {path!r} is given twice", value=path)
            self._do(self._adopt, check_member_path(path), media_type(path), file)
        check_member_paths(list(self._futures))
        return sorted(workers.gather(list(self._futures.values())), key=lambda staged: staged.record.path)

    def write_records(self, documents: Iterable[bytes]) -> list[StagedFile]:
        """Write the registry's own small records beside the members; they have no path."""
        return [self._write_if_new("", "", document) for document in documents]

    def abandon(self) -> None:
        """Wait until no thread writes here any more, whatever came of it."""
        for future in self._futures.values():
            future.cancel()
        for future in self._futures.values():
            if not future.cancelled():
                future.exception()

    def _do(
        self, ingest: Callable[[str, str, Any], StagedFile], path: str, media: str, source: Any, at_once: bool = False
    ) -> None:
        def work() -> StagedFile:
            staged = ingest(path, media, source)
            self._alive()
            return staged

        self._futures[path] = workers.run_here(work) if at_once else workers.submit(work)

    def _files_in_directory(self) -> Iterator[tuple[str, Path]]:
        if self._directory is not None:
            yield from files_below(self._directory)

    # From memory

    def _write_if_new(self, path: str, media: str, source: Any) -> StagedFile:
        """Hash first: bytes that are stored already are never written."""
        buffers = _buffers(source)
        size = _bytes(buffers)
        with part(size, passes=2):
            record = FileRecord(path, size, sha256_of_buffers(buffers), media)
            write = partial(self._write_again, source, record)
            if self._blobs.is_intact(record.sha256, record.size):
                return StagedFile(record, None, write)
            return StagedFile(record, self._write(buffers), write)

    def _write_again(self, source: Any, record: FileRecord) -> Path:
        target = self._write(_buffers(source))
        _require_same(record, sha256_of_file(target))
        return target

    def _write(self, buffers: Sequence[Buffer]) -> Path:
        target = self._next()
        write_new(target, buffers, sync=_bytes(buffers) > SMALL)
        return target

    # From files

    def _take(self, path: str, media: str, source: Path) -> StagedFile:
        """Read a user's file once, hashing what is written; if it seems to be stored already, hash it first."""
        sha256 = self._arrived.get(source.resolve()) if self._arrived else None
        if sha256 is not None:
            return self._move(path, media, source, sha256)
        with open_plain(source) as descriptor:
            size = os.fstat(descriptor).st_size
            with part(size):
                for sha256 in self._alike(size):
                    if seem_equal(descriptor, self._blobs.local(sha256), size):
                        is_intact = workers.alongside(partial(self._is_intact, sha256, size))
                        found = sha256_of_descriptor(descriptor)
                        if is_intact() and found == sha256:
                            record = FileRecord(path, size, sha256, media)
                            return StagedFile(record, None, partial(self._copy_again, source, record))
                        break
                record, target = self._copy(descriptor)
        return StagedFile(evolve(record, path=path, media_type=media), target, lambda: target)

    def _is_intact(self, sha256: str, size: int) -> bool:
        with aside():
            return self._blobs.is_intact(sha256, size)

    def _copy(self, reading: int) -> tuple[FileRecord, Path]:
        """The bytes in a file of ours: the user's may change while we look."""
        target = self._next()
        state, size, begun = sha256(), 0, 0
        buffer = memoryview(bytearray(CHUNK))
        os.lseek(reading, 0, os.SEEK_SET)
        with new_file(target) as writing:
            while count := os.readv(reading, [buffer]):
                state.update(buffer[:count])
                size += write_all(writing, [buffer[:count]])
                if size - begun >= WRITE_BEHIND:
                    write_behind(writing, begun, size - begun)
                    begun = size
            if size > SMALL:
                os.fsync(writing)
        return FileRecord("", size, state.hexdigest(), ""), target

    def _copy_again(self, source: Path, record: FileRecord) -> Path:
        with open_plain(source) as descriptor:
            copied, target = self._copy(descriptor)
        _require_same(record, copied.sha256)
        return target

    def _move(self, path: str, media: str, source: Path, sha256: str) -> StagedFile:
        """Take over a file that was hashed when it arrived."""
        with open_plain(source) as descriptor:
            record = FileRecord(path, os.fstat(descriptor).st_size, sha256, media)
            with part(record.size):
                if self._blobs.is_intact(sha256, record.size):
                    return StagedFile(record, None, partial(self._copy_again, source, record))
                target = self._next()
                try:
                    source.rename(target)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    target = self._copy_again(source, record)
                else:
                    if record.size > SMALL:
                        os.fsync(descriptor)
        return StagedFile(record, target, lambda: target)

    def _copy_if_new(self, path: str, media: str, known: tuple[FileRecord, Callable[[], Path]]) -> StagedFile:
        record, find = known
        write = partial(self._copy_verified, record, find)
        with part(record.size):
            if self._blobs.is_intact(record.sha256, record.size):
                return StagedFile(record, None, write)
            return StagedFile(record, write(), write)

    def _copy_verified(self, record: FileRecord, find: Callable[[], Path]) -> Path:
        source = find()
        if self._arrived.get(source.resolve()) == record.sha256 and source.stat().st_size == record.size:
            return self._move("", "", source, record.sha256).written or self._copy_again(source, record)
        with open_plain(source) as descriptor:
            copied, target = self._copy(descriptor)
        if (copied.sha256, copied.size) != (record.sha256, record.size):
            raise IntegrityError(
                f"{source} was changed: its bytes do not have the digest of its name",
                hint="nothing of it was kept; validate the registry that it is from",
                path=str(source),
                expected=record.sha256,
                found=copied.sha256,
            )
        return target

    def _adopt(self, path: str, media: str, file: Path) -> StagedFile:
        """Take a file that a library wrote into our own folder."""
        size = file.stat().st_size
        with part(size):
            record = FileRecord(path, size, sha256_of_file(file), media)
        if size > SMALL:
            sync_file(file)
        return StagedFile(record, file, lambda: file)

    def _next(self) -> Path:
        return self._folder / str(next(self._numbers))


def _require_same(record: FileRecord, sha256: str) -> None:
    if sha256 != record.sha256:
        raise StorageError(f"member {record.path!r} changed while it was registered", hint="register it again")


def _buffers(source: Any) -> list[Buffer]:
    given = source() if callable(source) else source
    return [given] if isinstance(given, (bytes, bytearray, memoryview)) else list(given)


def _bytes(buffers: Iterable[Buffer]) -> int:
    return sum(memoryview(buffer).nbytes for buffer in buffers)


def _is_small(source: Source) -> bool:
    return not isinstance(source, Path) and not callable(source) and _bytes(_buffers(source)) <= SMALL
