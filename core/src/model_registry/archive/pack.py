"""A pack: one file that holds blobs in encoded pieces.

From its end: a mark and the size of its head; the head, a JSON document that lists the blobs; before it, the pieces
and, for each blob, the table of its pieces (JSON, compressed by zlib). A pack has the SHA-256 of its head for a name,
and the head tells that of all before it, so nothing in a pack can change unseen. Seeing what it holds takes no plugin.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import Factory, field, frozen

from model_registry import canonical_json
from model_registry.digests import is_sha256, sha256_of_bytes
from model_registry.durable import write_all
from model_registry.errors import IntegrityError, ModelRegistryError
from model_registry.plain_files import open_plain
from model_registry.records.archive import Encoded, Saving, Span

SCHEMA = 1
_MARK = b"MRPACK1\n"
_TAIL = len(_MARK) + 8
#: A head takes about 300 bytes a blob, a table about 40 a piece. More is nothing that we wrote.
_MOST_HEAD = 64 << 20
_MOST_TABLE = 16 << 20
#: Bytes of a piece, since it is decoded in memory.
MOST_PIECE = 8 << 20
_ONCE = 1 << 20


@frozen
class Piece:
    """A piece of a blob as a pack holds it: where it begins in the blob, where in the pack, and how it is decoded."""

    start: int
    size: int
    method: str
    offset: int
    stored: int
    base: Span | None


@frozen
class Packed:
    """A blob in a pack.

    :param table: Where the table of its pieces is: offset, and bytes.
    :param bases: The blobs that decoding it needs.
    :param savings: What each method did for it.
    """

    sha256: str
    size: int
    table: tuple[int, int]
    bases: tuple[str, ...]
    savings: Mapping[str, Saving] = field(eq=False)

    @property
    def stored(self) -> int:
        """Bytes that it takes, with its table."""
        return self.table[1] + sum(saving.stored for saving in self.savings.values())


@frozen
class Head:
    """What a pack holds.

    :param name: Its SHA-256, which is the pack's name.
    :param version: The digest of the version whose files it was made of.
    :param body: The size and the SHA-256 of all before the head.
    """

    name: str
    version: str
    body: tuple[int, str]
    blobs: Mapping[str, Packed] = field(eq=False)
    size: int


class PackWriter:
    """Writes a pack into a new, open file, blob by blob."""

    def __init__(self, descriptor: int, version: str) -> None:
        self._descriptor = descriptor
        self._version = version
        self._sha256 = hashlib.sha256()
        self._offset = 0
        self._blobs: list[dict[str, Any]] = []

    def add(self, sha256: str, size: int, pieces: Iterable[Encoded]) -> None:
        """Add a blob; ``pieces`` are written as they come."""
        methods: dict[str, int] = {}
        bases: dict[str, int] = {}
        savings: dict[str, list[int]] = {}
        rows: list[list[int]] = []
        begin = self._offset
        for piece in pieces:
            if not 0 < piece.size <= MOST_PIECE:
                raise IntegrityError(f"blob {sha256} was cut into a piece of {piece.size:,} bytes", expected=sha256)
            stored = self._write(piece.data)
            row = [piece.size, methods.setdefault(piece.method, len(methods)), stored]
            if piece.base is not None:
                row += [bases.setdefault(piece.base.sha256, len(bases)), piece.base.offset, piece.base.size]
            rows.append(row)
            saving = savings.setdefault(piece.method.partition("-")[0], [0, 0])
            saving[0] += piece.size
            saving[1] += stored
        if sum(row[0] for row in rows) != size:
            raise IntegrityError(f"blob {sha256} was encoded to another size", expected=sha256)
        table = {"begin": begin, "methods": list(methods), "bases": list(bases), "pieces": rows}
        where = (self._offset, self._write(zlib.compress(json.dumps(table, separators=(",", ":")).encode())))
        blob = {"sha256": sha256, "size": size, "table": where, "bases": sorted(bases), "savings": savings}
        self._blobs.append(blob)

    def _write(self, data: bytes | bytearray | memoryview) -> int:
        written = write_all(self._descriptor, [data], sync_soon=True)
        self._sha256.update(data)
        self._offset += written
        return written

    def finish(self) -> str:
        """Write the head, and force all to the disk; returns the name for the pack."""
        document = {
            "schema": SCHEMA,
            "version": self._version,
            "body": {"size": self._offset, "sha256": self._sha256.hexdigest()},
            "blobs": self._blobs,
        }
        head = canonical_json.dump(document)
        write_all(self._descriptor, [head, len(head).to_bytes(8, "little"), _MARK])
        os.fsync(self._descriptor)
        return sha256_of_bytes(head)


@frozen
class Table:
    """The pieces of a blob, in order."""

    pieces: tuple[Piece, ...]
    _starts: list[int] = Factory(lambda self: [piece.start for piece in self.pieces], takes_self=True)

    def between(self, start: int, stop: int) -> Iterator[Piece]:
        """The pieces that hold bytes from ``start`` up to ``stop``."""
        at = max(bisect_right(self._starts, start) - 1, 0)
        while at < len(self.pieces) and self.pieces[at].start < stop:
            yield self.pieces[at]
            at += 1


def read_head(path: Path, name: str) -> Head:
    """The head of a pack that has, or will have, this name.

    :raises IntegrityError: for anything but a pack that is whole as far as its head goes.
    """
    with open_plain(path) as descriptor:
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
        length = int.from_bytes(tail[:8], "little")
        if tail[8:] != _MARK or length > min(_MOST_HEAD, size - _TAIL):
            raise _damaged(path, "it has no end")
        data = _pread(descriptor, size - _TAIL - length, length)
    if sha256_of_bytes(data) != name:
        raise _damaged(path, "its head was changed")
    try:
        return _head(name, canonical_json.load(data, what=str(path)), size)
    except (KeyError, TypeError, ValueError, AttributeError, ModelRegistryError) as error:
        raise _damaged(path, f"its head says nothing that can be read ({error})") from error


def read_table(path: Path, packed: Packed) -> Table:
    """The pieces of a blob.

    :raises IntegrityError: if the table was changed.
    """
    offset, length = packed.table
    try:
        with open_plain(path) as descriptor:
            inflate = zlib.decompressobj()
            data = inflate.decompress(_pread(descriptor, offset, min(length, _MOST_TABLE)), _MOST_TABLE)
        return Table(tuple(_pieces(json.loads(data), packed.size)))
    except (KeyError, TypeError, ValueError, IndexError, zlib.error) as error:
        raise _damaged(path, f"the table of blob {packed.sha256} cannot be read ({error})") from error


def has_body(path: Path, head: Head) -> bool:
    """Whether all before the head is what was written."""
    size, sha256 = head.body
    with open_plain(path) as descriptor:
        if size > head.size:
            return False
        state = hashlib.sha256()
        for start in range(0, size, _ONCE):
            state.update(os.pread(descriptor, min(_ONCE, size - start), start))
        return state.hexdigest() == sha256


def _head(name: str, document: Mapping[str, Any], size: int) -> Head:
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema {document['schema']!r}")
    blobs = {}
    for each in document["blobs"]:
        offset, length = map(int, each["table"])
        savings = {str(word): Saving(int(before), int(stored)) for word, (before, stored) in each["savings"].items()}
        bases = tuple(map(_digest, each["bases"]))
        packed = Packed(_digest(each["sha256"]), int(each["size"]), (offset, length), bases, savings)
        if min(offset, length, packed.size) < 0:
            raise ValueError("a negative size")
        blobs[packed.sha256] = packed
    body = document["body"]
    return Head(name, str(document["version"]), (int(body["size"]), _digest(body["sha256"])), blobs, size)


def _pieces(table: Mapping[str, Any], size: int) -> Iterator[Piece]:
    methods, bases = [str(word) for word in table["methods"]], [_digest(each) for each in table["bases"]]
    start, offset = 0, int(table["begin"])
    for row in table["pieces"]:
        length, method, stored, *base = map(int, row)
        span = Span(bases[base[0]], base[1], base[2]) if base else None
        if min(row) < 0 or offset < 0:
            raise ValueError("a negative size")
        if not 0 < length <= MOST_PIECE or max(stored, span.size if span else 0) > MOST_PIECE:
            raise ValueError("a piece of a size that nobody writes")
        yield Piece(start, length, methods[method], offset, stored, span)
        start, offset = start + length, offset + stored
    if start != size:
        raise ValueError(f"pieces of {start} bytes for {size}")


def _digest(text: object) -> str:
    if not is_sha256(text):
        raise ValueError(f"{text!r} is no digest")
    return str(text)


def _pread(descriptor: int, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset)
    if len(data) != length:
        raise ValueError("it is shorter than it should be")
    return data


def _damaged(path: Path, why: str) -> IntegrityError:
    hint = "«model-registry validate --deep» tells which versions need it"
    return IntegrityError(f"pack {path} is damaged: {why}", hint=hint, path=str(path))
