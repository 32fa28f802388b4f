"""Uploads that may be continued: after a lost connection, and after a server that was killed.

A file is at first what its client announced, then grows by parts, each from where the file ends, and is complete when
it has its size and its digest. Nothing here looks into a file, and no name that a client tells becomes a path.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from attrs import frozen

from model_registry import StorageError
from model_registry_server.state import State
from model_registry_server.transfer.errors import (
    ConflictError,
    DigestMismatchError,
    IncompleteError,
    InvalidBodyError,
    OffsetError,
    TooLargeError,
)
from model_registry_server.transfer.hashing import RunningHash
from model_registry_server.transfer.incoming import Take
from model_registry_server.transfer.pace import USUAL, Pace
from model_registry_server.transfer.receiving import Received, hash_to_go_on, receive, size_of
from model_registry_server.transfer.threads import in_thread
from model_registry_server.transfer.upload_table import Announced, FileRow, UploadTable

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
#: Hashes that are kept between the parts of files; of other files, what has come is read again.
_MOST_HASHES = 1000


@frozen
class UploadFile:
    """A file of an upload.

    :param size: As announced; None if it was not.
    :param sha256: As announced, in hex; None if it was not. That of what came, if the file is done.
    :param offset: Bytes that are on the disk; the next part begins here.
    :param done: It is complete, and its digest is the one that was announced.
    """

    number: int
    path: str
    size: int | None
    sha256: str | None
    offset: int
    done: bool


@frozen
class Upload:
    """An upload under way. ``files[number].number == number``."""

    id: str
    owner: str
    created_at: datetime
    touched_at: datetime
    files: tuple[UploadFile, ...]


@frozen
class ReceivedFile:
    """A complete file. ``path`` is its place in the model, ``file`` where its bytes are."""

    path: str
    file: Path
    size: int
    sha256: str


class Uploads:
    """All uploads of a registry. But for :meth:`append`, its methods wait for the disk: call them from a thread.

    :param folder: Where their files are, as ``<id>/<number>``; made if it is missing.
    """

    def __init__(self, state: State, folder: Path) -> None:
        self._table = UploadTable(state)
        self._folder = folder
        self._hashes: OrderedDict[tuple[str, int], RunningHash] = OrderedDict()
        self._writing: dict[tuple[str, int], int | None] = {}  # what there was before the part that is coming in
        self._lock = threading.Lock()
        with _storage_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, owner: str, files: Sequence[Announced], *, most: int = 100, most_files: int = 20_000) -> Upload:
        """Begin an upload.

        :param owner: Whose it is: a token's id or a name.
        :param most: Uploads that an owner may have under way.
        :param most_files: What all of them may have together.
        :raises TooManyRequestsError: The owner has so many.
        :raises DigestMismatchError: An empty file is announced with another digest than that of nothing.
        """
        for file in files:
            if file.size == 0:
                _check_digest(file, RunningHash())
        upload_id = secrets.token_hex(16)
        # First: a folder of an upload that is not in the table is garbage.
        self._table.add(upload_id, owner, files, most, most_files)
        with _storage_errors(self._folder):
            self._path(upload_id).mkdir(mode=0o700)
        self._table.complete_empty(upload_id, RunningHash().hexdigest())
        return self.get(upload_id)

    def get(self, upload_id: str) -> Upload:
        """:raises UploadNotFoundError: There is none."""
        row = self._table.get(upload_id)
        files = tuple(self._state_of(upload_id, file) for file in row.files)
        return Upload(row.id, row.owner, row.created_at, row.touched_at, files)

    def owner_of(self, upload_id: str) -> str:
        """:raises UploadNotFoundError: There is no such upload."""
        return self._table.owner(upload_id)

    async def append(
        self,
        upload_id: str,
        number: int,
        offset: int,
        stream: AsyncIterator[bytes],
        *,
        length: int | None = None,
        digest_of_part: str | None = None,
        complete: bool = False,
        take: Take | None = None,
        pace: Pace = USUAL,
    ) -> UploadFile:
        """Add a part to a file. What arrived is kept if the rest does not, so ask for the offset and go on there.

        :param length: Of the part, if the client tells it; so a part that is too large is refused before it comes.
        :param digest_of_part: SHA-256 in hex, if the client tells it; a part with another one is thrown away.
        :param complete: This is the last part of a file whose size was not announced.
        :param take: Asked before bytes are kept.
        :param pace: How slowly they may come.
        :raises OffsetError: The part does not begin where the file ends; the error tells where that is.
        :raises ConflictError: Another part of the file is coming in.
        :raises DigestMismatchError: Of the part, which is thrown away, or of the file, which is sent again from 0 on.
        :raises TooSlowError: Too little came in time.
        :raises InvalidBodyError: The part has not the length that was told.
        :raises UploadNotFoundError: There is no such upload, it has no such file, or it was discarded meanwhile.
        """
        with self._one_writer(upload_id, number):
            file = await in_thread(self._file, upload_id, number)
            if offset != file.offset or (file.done and length != 0):
                raise _wrong_offset(file, offset)
            if file.done:
                return file
            most = None if file.size is None else max(file.size - file.offset, 0)
            if length is not None and most is not None and length > most:
                hint = "send no more than was announced"
                raise TooLargeError(
                    f"{file.path!r} may have {most:,} bytes more, not {length:,}", hint=hint, limit=most
                )
            running = await self._running(upload_id, number, offset)
            self._writing[upload_id, number] = offset
            before, part = running.copy(), RunningHash() if digest_of_part else None
            try:
                received = await receive(
                    stream, self._path(upload_id, number), hasher=running, part=part, limit=most, take=take, pace=pace
                )
            except StorageError:
                await in_thread(self._table.owner, upload_id)  # says that it is gone, if its folder went with it
                raise
            except BaseException:
                await in_thread(self._table.touch, upload_id)
                raise
            finally:
                self._remember(upload_id, number, running)
            if part is not None and part.hexdigest() != digest_of_part:
                await in_thread(self._drop_part, upload_id, number, before)
                raise _mismatch(f"a part of {file.path!r}", digest_of_part, part.hexdigest(), file.path, offset)
            if length is not None and received.count != length:
                raise InvalidBodyError(f"the part has {received.count:,} bytes instead of {length:,}")
            return await in_thread(self._after_part, upload_id, file, received, complete)

    def finish(self, upload_id: str) -> list[ReceivedFile]:
        """All files, which are complete. They stay where they are until the upload is discarded.

        :raises IncompleteError: Some are not.
        """
        row = self._table.get(upload_id)
        missing = [file.number for file in row.files if file.received_sha256 is None]
        if missing:
            names = ", ".join(repr(row.files[number].announced.path) for number in missing[:3])
            message = f"{len(missing)} of {len(row.files)} files are not complete: {names}"
            raise IncompleteError(message, hint="send the rest", upload=upload_id, missing=missing)
        return [self._received(upload_id, file) for file in row.files]

    def discard(self, upload_id: str) -> bool:
        """Forget an upload and remove its files. Returns whether it was there."""
        there = bool(_ID.fullmatch(upload_id)) and self._table.remove(upload_id)
        if there:
            self._remove_folder(upload_id)
        return there

    def expire(self, hours: float) -> list[str]:
        """Discard what nobody continued for so many hours, and folders that belong to no upload.

        :returns: The ids of the uploads.
        """
        with _storage_errors(self._folder):
            folders = {name for name in os.listdir(self._folder) if _ID.fullmatch(name)}
        for name in folders.difference(self._table.ids()):  # listed before, so all of them were in the table then
            self._remove_folder(name)
        old = self._table.untouched_since(datetime.now(timezone.utc) - timedelta(hours=hours))
        return [upload_id for upload_id in old if not self._is_writing(upload_id) and self.discard(upload_id)]

    def bytes_of(self, upload_id: str | None = None) -> int:
        """What has come of an upload, or of all, without the parts that are coming in."""
        with _storage_errors(self._folder):
            ids = os.listdir(self._folder) if upload_id is None else [upload_id]
            return sum(self._size(each, number) for each in ids for number in self._numbers(each))

    def _numbers(self, upload_id: str) -> list[int]:
        """The files of which something has come."""
        if not _ID.fullmatch(upload_id):
            return []
        try:
            names = os.listdir(self._path(upload_id))
        except FileNotFoundError:  # nothing has, or it was discarded meanwhile
            return []
        return [int(name) for name in names if name.isdecimal()]

    def _size(self, upload_id: str, number: int) -> int:
        before = self._writing.get((upload_id, number))
        return size_of(self._path(upload_id, number)) if before is None else before

    def _path(self, upload_id: str, number: int | None = None) -> Path:
        folder = self._folder / upload_id
        return folder if number is None else folder / str(number)

    def _file(self, upload_id: str, number: int) -> UploadFile:
        return self._state_of(upload_id, self._table.file(upload_id, number))

    def _state_of(self, upload_id: str, row: FileRow) -> UploadFile:
        announced = row.announced
        done = row.received_sha256 is not None
        offset = size_of(self._path(upload_id, row.number))
        sha256 = row.received_sha256 or announced.sha256
        return UploadFile(row.number, announced.path, announced.size, sha256, offset, done)

    def _received(self, upload_id: str, row: FileRow) -> ReceivedFile:
        path = self._path(upload_id, row.number)
        size, sha256 = row.received_size, row.received_sha256
        if size == 0:  # not before: until then, whoever counts bytes would look at each
            self._make_empty(path)
        if size is None or sha256 is None or size_of(path) != size:
            raise StorageError(f"{path}: is not what came", hint="begin another upload", path=str(path))
        return ReceivedFile(row.announced.path, path, size, sha256)

    async def _running(self, upload_id: str, number: int, offset: int) -> RunningHash:
        """The hash of what has come: the one that is kept, if it is of just that; otherwise the file is read."""
        kept = self._forget(upload_id, number)
        if kept is not None and kept.size == offset:
            return kept
        return await in_thread(hash_to_go_on, self._path(upload_id, number), offset)

    def _remember(self, upload_id: str, number: int, running: RunningHash) -> None:
        with self._lock:
            self._hashes[upload_id, number] = running
            while len(self._hashes) > _MOST_HASHES:
                self._hashes.popitem(last=False)

    def _forget(self, upload_id: str, number: int) -> RunningHash | None:
        with self._lock:
            return self._hashes.pop((upload_id, number), None)

    def _drop_part(self, upload_id: str, number: int, before: RunningHash) -> None:
        path = self._path(upload_id, number)
        with _storage_errors(path):
            os.truncate(path, before.size)
        self._remember(upload_id, number, before)

    def _after_part(self, upload_id: str, file: UploadFile, received: Received, complete: bool) -> UploadFile:
        """Look whether the file is complete, and if it is, whether it is the one that was announced."""
        if received.size == file.size or (complete and file.size is None):
            self._forget(upload_id, file.number)
            try:
                _check_digest(Announced(file.path, file.size, file.sha256), received.running)
            except DigestMismatchError:
                with _storage_errors(self._path(upload_id, file.number)):
                    os.truncate(self._path(upload_id, file.number), 0)
                raise
            self._table.complete(upload_id, file.number, received.size, received.sha256)
        elif complete:
            raise InvalidBodyError(f"{file.path!r} has {received.size:,} bytes in the end instead of {file.size:,}")
        else:
            self._table.touch(upload_id)
        return self._file(upload_id, file.number)

    def _make_empty(self, path: Path) -> None:
        with _storage_errors(path):
            path.touch(0o600)

    def _remove_folder(self, upload_id: str) -> None:
        with _storage_errors(self._path(upload_id)):
            shutil.rmtree(self._path(upload_id), ignore_errors=True)

    @contextmanager
    def _one_writer(self, upload_id: str, number: int) -> Iterator[None]:
        key = upload_id, number
        with self._lock:
            if key in self._writing:
                message = f"another part of file {number} of upload {upload_id[:40]!r} is coming in"
                raise ConflictError(message, hint="try again when it has ended", path=str(number))
            self._writing[key] = None
        try:
            yield
        finally:
            with self._lock:
                del self._writing[key]

    def _is_writing(self, upload_id: str) -> bool:
        with self._lock:
            return any(writing == upload_id for writing, _ in self._writing)


def _wrong_offset(file: UploadFile, offset: int) -> OffsetError:
    if file.done:
        message, hint = f"{file.path!r} is complete", "go on with the next file, or have the upload registered"
    else:
        message = f"the part begins at byte {offset:,}, {file.path!r} ends at {file.offset:,}"
        hint = f"go on at byte {file.offset}"
    return OffsetError(message, hint=hint, offset=file.offset, given=offset)


def _check_digest(file: Announced, running: RunningHash) -> None:
    found = running.hexdigest()
    if file.sha256 is not None and file.sha256 != found:
        raise _mismatch(repr(file.path), file.sha256, found, file.path, 0)


def _mismatch(what: str, expected: str | None, found: str, path: str, offset: int) -> DigestMismatchError:
    message = f"{what} has the SHA-256 {found} instead of {expected}"
    hint = f"send it again from byte {offset} on"
    return DigestMismatchError(message, hint=hint, path=path, expected=expected, found=found, offset=offset)


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", hint="look at the disk", path=str(path)) from error
