"""Forms with files (multipart/form-data, RFC 7578): each file goes to the disk as it arrives, hashed on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from attrs import frozen
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from model_registry import StorageError
from model_registry_server.transfer.digests import claimed_digest, require_digest
from model_registry_server.transfer.errors import InvalidBodyError, TooLargeError
from model_registry_server.transfer.hashing import RunningHash
from model_registry_server.transfer.incoming import Incoming, Take
from model_registry_server.transfer.multipart_events import Data, End, Events, Headers
from model_registry_server.transfer.pace import USUAL, Pace
from model_registry_server.transfer.threads import in_thread
from model_registry_server.transfer.writing import Writer

#: The most bytes of all fields together; they are kept in memory.
_ALL_FIELDS = 8 << 20


@frozen
class FormFile:
    """A file of a form.

    :param field: The name of its field.
    :param filename: What the client calls it. Never use it as a path.
    :param path: Where its bytes are.
    """

    field: str
    filename: str
    path: Path
    size: int
    sha256: str


@frozen
class Form:
    """What a form says."""

    fields: dict[str, str]
    files: list[FormFile]


@frozen
class FormLimits:
    """What one form may have. Sizes are bytes.

    :param rest: All that is no file's.
    :param pace: How slowly it may come.
    """

    rest: int = 16 << 20
    field: int = 1 << 20
    fields: int = 100
    files: int = 1000
    pace: Pace = USUAL


async def read_form(
    stream: AsyncIterator[bytes],
    content_type: str,
    folder: Path,
    limits: FormLimits | None = None,
    *,
    take: Take | None = None,
    digest: str | None = None,
) -> Form:
    """Read a form. Its files are durable then, as ``folder/0``, ``folder/1``, …

    If that fails, what came is left in the folder, which is the caller's to remove.

    :param content_type: The request's header, which tells where the form's parts end.
    :param folder: An empty one.
    :param take: Asked before bytes of files are kept.
    :param digest: SHA-256 in hex of the whole form, if the client tells it.
    :raises InvalidBodyError: It is no form, it is malformed, or it ends early.
    :raises TooLargeError: There is more than may be.
    :raises TooSlowError: Too little came in time.
    :raises DigestMismatchError: The form, or a part of it, has another digest than was told.
    :raises StorageError: The disk refused.
    """
    limits = limits or FormLimits()
    events = Events(_boundary(content_type))
    form, whole = _Reading(folder, limits, take), RunningHash()
    with Incoming(stream, None, limits.pace) as body:
        try:
            while data := await body.read():
                if digest is not None:
                    await in_thread(whole.update, data)
                for event in _parsed(events, data):
                    await form.take(event)
                if body.size - form.files_size > limits.rest:
                    message = f"the form has more than {limits.rest:,} bytes beside its files"
                    raise TooLargeError(message, limit=limits.rest)
        finally:
            await form.close()
    if not events.ended:
        raise InvalidBodyError("the form ends before its last boundary", hint="send it again")
    if digest is not None:
        require_digest(digest, whole.hexdigest(), "the form")
    return Form(form.fields, form.files)


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        shown = content_type[:100]
        raise InvalidBodyError(f"Content-Type {shown!r} is not a multipart/form-data with a boundary of 1 to 70 bytes")
    return boundary


def _parsed(events: Events, data: bytes) -> list[Headers | Data | End]:
    try:
        return events.of(data)
    except FormParserError as error:
        raise InvalidBodyError(f"the form is malformed: {error}") from error


class _Reading:
    """A form as far as it was read."""

    def __init__(self, folder: Path, limits: FormLimits, take: Take | None) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[FormFile] = []
        self.files_size = 0
        self._take = take
        self._folder = folder
        self._limits = limits
        self._part: _Field | _File | _Nothing | None = None
        self._fields_size = 0

    async def take(self, event: Headers | Data | End) -> None:
        """Go on by one event."""
        if isinstance(event, Headers):
            self._part = await self._part_of(event)
        elif isinstance(event, Data) and self._part is not None:
            if isinstance(self._part, _File):
                await self._count(len(event.data))
            await self._part.take(event.data)
        elif isinstance(event, End) and self._part is not None:
            await self._end(self._part)
            self._part = None

    async def close(self) -> None:
        if isinstance(self._part, _File):
            await self._part.close()

    async def _count(self, size: int) -> None:
        if self._take is not None:
            await self._take(size)
        self.files_size += size

    async def _part_of(self, headers: Headers) -> _Field | _File | _Nothing:
        name, filename = _names(headers.values)
        digest = claimed_digest((key, value.decode("latin-1")) for key, value in headers.values.items())
        if filename is None:
            if name in self.fields:
                raise InvalidBodyError(f"field {name!r} comes twice")
            if len(self.fields) >= self._limits.fields:
                raise TooLargeError(f"the form has more than {self._limits.fields} fields", limit=self._limits.fields)
            return _Field(name, digest, min(self._limits.field, _ALL_FIELDS - self._fields_size))
        if not filename:
            require_digest(digest, RunningHash().hexdigest(), name)
            return _Nothing(name)
        if len(self.files) >= self._limits.files:
            raise TooLargeError(f"the form has more than {self._limits.files} files", limit=self._limits.files)
        file = _File(name, filename, digest, self._folder / str(len(self.files)))
        self._part = file
        await file.open()
        return file

    async def _end(self, part: _Field | _File | _Nothing) -> None:
        if isinstance(part, _Field):
            self._fields_size += len(part.data)
            require_digest(part.digest, hashlib.sha256(part.data).hexdigest(), part.name)
            self.fields[part.name] = _text(bytes(part.data), f"field {part.name!r}")
        elif isinstance(part, _File):
            self.files.append(await part.finished())


class _Field:
    def __init__(self, name: str, digest: str | None, limit: int) -> None:
        self.name = name
        self.digest = digest
        self.data = bytearray()
        self._limit = limit

    async def take(self, data: memoryview) -> None:
        if len(self.data) + len(data) > self._limit:
            raise TooLargeError(f"field {self.name!r} has more than {self._limit:,} bytes", limit=self._limit)
        self.data += data


class _File:
    def __init__(self, field: str, filename: str, digest: str | None, path: Path) -> None:
        self._field = field
        self._filename = filename
        self._digest = digest
        self._writer = Writer(path, RunningHash())
        self._is_open = False

    async def open(self) -> None:
        await self._writer.__aenter__()
        self._is_open = True

    async def take(self, data: memoryview) -> None:
        await self._writer.write(data)

    async def finished(self) -> FormFile:
        await self._writer.sync()
        await self.close()
        running = self._writer.running
        sha256 = running.hexdigest()
        require_digest(self._digest, sha256, self._filename)
        return FormFile(self._field, self._filename, self._writer.path, running.size, sha256)

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            with suppress(StorageError):  # if the form cannot be read, something else was wrong before
                await self._writer.__aexit__(None, None, None)


class _Nothing:
    """What a browser sends for a file that nobody chose: no file name, and no bytes."""

    def __init__(self, field: str) -> None:
        self._field = field

    async def take(self, data: memoryview) -> None:
        raise InvalidBodyError(f"the file of field {self._field!r} has no file name")


def _names(headers: dict[str, bytes]) -> tuple[str, str | None]:
    """The names of a part's field and, if it is a file, of that."""
    kind, options = parse_options_header(headers.get("content-disposition", b"").decode("latin-1"))
    if kind != b"form-data" or not options.get(b"name"):
        raise InvalidBodyError("a part of the form has no Content-Disposition: form-data; name=…")
    encoding = headers.get("content-transfer-encoding", b"binary").decode("latin-1").lower()
    if encoding not in ("binary", "8bit", "7bit"):
        raise InvalidBodyError(f"a part of the form is encoded as {encoding[:40]!r}", hint="send it as it is")
    filename = options.get(b"filename")
    return _text(options[b"name"], "a field's name"), None if filename is None else _text(filename, "a file's name")


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidBodyError(f"{what} is not UTF-8") from error
