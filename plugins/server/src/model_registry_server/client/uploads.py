"""Files to the server, in parts: several at once, and continued after a broken connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen

from model_registry import StorageError, remotes
from model_registry_server.client.errors import PASSING, UnreachableError, misunderstood
from model_registry_server.client.http import PATIENT, Http
from model_registry_server.client.parallel import Stop, do_all
from model_registry_server.client.patience import Patience
from model_registry_server.client.records import record
from model_registry_server.errors import ForbiddenError
from model_registry_server.transfer.errors import (
    ConflictError,
    DigestMismatchError,
    OffsetError,
    TooSlowError,
    UploadNotFoundError,
)

#: Bytes of a part: when a connection breaks, the server keeps what came of it.
_PART = 64 << 20
_PIECE = 1 << 20
#: After these, a file goes on where the server says that it ends.
_HELD_UP = (*PASSING, ConflictError, TooSlowError)
_GOES_ON = (*_HELD_UP, OffsetError)


@frozen
class Place:
    """One file's place in an upload, and what the server has of it.

    :param offset: Bytes that are there already.
    :param done: It is complete.
    """

    number: int
    offset: int = 0
    done: bool = False


@frozen
class Upload:
    """An upload under way at the server, with the places of its files in the order in which they were announced."""

    id: str
    places: Sequence[Place]


class Uploads:
    """Sends files to a server."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def begin(self, sizes: Mapping[str, int], more: int) -> Upload:
        """Begin an upload of blobs, sizes by SHA-256, and of so many files of which nothing is known yet."""
        files: list[dict[str, Any]] = [
            {"path": sha256, "size": size, "sha256": sha256} for sha256, size in sizes.items()
        ]
        files += [{"path": f"document-{number}"} for number in range(more)]
        made = self._http.send("POST", "/uploads", {"files": files}, repeatable=True)
        return _upload_of(made)

    def begun(self, upload_id: str, sizes: Mapping[str, int], more: int) -> Upload | None:
        """An upload that was begun earlier, if the server has it, it is of just this, and has room for the unknown."""
        try:
            told = self._http.get(f"/uploads/{upload_id}")
        except (UploadNotFoundError, ForbiddenError):
            return None
        known, unknown = told["files"][: len(sizes)], told["files"][len(sizes) :]
        is_same = {file["path"]: file["size"] for file in known} == dict(sizes)
        has_room = len(unknown) >= more and not any(file["done"] or file["offset"] for file in unknown)
        return _upload_of(told) if is_same and has_room else None

    def discard(self, upload_id: str) -> None:
        """Throw an upload away, of which the server may know nothing any more."""
        with suppress(UploadNotFoundError, ForbiddenError):
            self._http.request("DELETE", f"/uploads/{upload_id}", repeatable=True)

    def give_up(self, upload: Upload) -> bool:
        """Throw an upload away, after a failure or Ctrl-C.

        :returns: Whether the server says that it did.
        """
        return self._http.forgo(f"/uploads/{upload.id}")

    def send_all(self, upload: Upload, files: Iterable[tuple[Path, int]]) -> None:
        """Send the files that were announced, paths and sizes, the largest first. What is there is not sent again.

        :raises UnreachableError: if the server stays away; another upload can go on with what it has by then.
        """
        ordered = sorted(zip(upload.places, files, strict=False), key=lambda item: -item[1][1])
        tasks = [partial(self._send, upload, place, path, size) for place, (path, size) in ordered]
        try:
            do_all(tasks)
        except UnreachableError as error:
            hint = "what was sent is kept there: when the server runs again, the same command or call goes on with it"
            raise UnreachableError(error.message, hint=hint, **error.facts) from error

    def send_last(self, upload: Upload, number: int, data: bytes) -> None:
        """Send a small file of which nothing was announced."""
        patience = Patience()
        offset = 0
        while True:
            headers = {"Upload-Offset": str(offset), "Upload-Complete": "true"}
            try:
                self._patch(upload, number, headers, data[offset:])
                return
            except _GOES_ON as error:
                patience.wait(error)
                file = self._state(upload, number, offset, patience)
                if file.done:
                    return
                offset = file.offset

    def _send(self, upload: Upload, place: Place, path: Path, size: int, stop: Stop) -> None:
        patience, source = Patience(sleep=stop.wait), _Source(path, stop, place.offset)
        number, offset, done = place.number, place.offset, place.done or size == 0
        furthest = offset
        failed_before = False
        while not done:
            length = min(_PART, size - offset)
            headers = {"Upload-Offset": str(offset), "Content-Length": str(length)}
            try:
                file = self._patch(upload, number, headers, source.pieces(offset, length))
                self._require(file.done or file.offset > offset, file)
            except _GOES_ON as error:
                patience.wait(error)
                file = self._state(upload, number, offset, patience)
            except DigestMismatchError:
                if failed_before:  # a network may do that once
                    raise
                failed_before = True
                file = self._state(upload, number, 0, patience)
            self._require(0 <= file.offset <= size, file)
            stop.check()
            offset, done = file.offset, file.done
            if offset > furthest:  # what is sent once more is no progress
                furthest = offset
                patience.renew()

    def _require(self, is_possible: bool, file: Place) -> None:
        """:raises StorageError: for a server that took a part and has nothing of it, or more than there is: it would be
        sent for ever."""
        if not is_possible:
            what = f"answers something that is no registry's: a file that was sent cannot end at byte {file.offset}"
            raise misunderstood(self._http.address, what)

    def _patch(self, upload: Upload, number: int, headers: Mapping[str, str], content: Any) -> Place:
        told = self._http.send(
            "PATCH",
            f"/uploads/{upload.id}/files/{number}",
            headers={"Content-Type": "application/octet-stream", **headers},
            content=content,
            timeout=PATIENT,
        )
        return record(told, Place)

    def _state(self, upload: Upload, number: int, offset: int, patience: Patience) -> Place:
        """How far a file has come, as soon as nobody writes it any more.

        The server may still be busy with what came by a connection that is broken here. An empty part tells; a real
        one would be refused before it is read, and then the refusal often does not arrive.
        """
        while True:
            try:
                return self._patch(upload, number, {"Upload-Offset": str(offset)}, b"")
            except OffsetError as error:
                where = error.facts.get("offset")
                if type(where) is not int or where == offset or where < 0:
                    raise
                patience.wait(error)
                offset = where
            except _HELD_UP as error:
                patience.wait(error)


class _Source:
    """A file that is sent; what has to be sent again is told as progress only once."""

    def __init__(self, path: Path, stop: Stop, offset: int) -> None:
        """:param offset: What is at the server already."""
        self._path = path
        self._stop = stop
        self._told = offset
        remotes.advance(offset)

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """The bytes of a part."""
        end = offset + length
        with self._path.open("rb", buffering=0) as file:
            file.seek(offset)
            while offset < end:
                self._stop.check()
                data = file.read(min(_PIECE, end - offset))
                if not data:
                    message = f"{self._path} became shorter while it was sent"
                    raise StorageError(message, hint="try again", path=str(self._path))
                yield data
                offset += len(data)
                remotes.advance(max(offset - self._told, 0))
                self._told = max(offset, self._told)


def _upload_of(told: Mapping[str, Any]) -> Upload:
    return Upload(told["id"], [record(file, Place) for file in told["files"]])
