"""What a response may send: bytes and parts of files in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import evolve, frozen

Buffer = bytes | bytearray | memoryview


@frozen
class FilePart:
    """Bytes of a file.

    :param file_size: What the whole file must have.
    :param seen: Called with the bytes, in order, before the next piece is asked for.
    """

    path: Path
    offset: int
    length: int
    file_size: int
    seen: Callable[[Buffer], None] | None = None


Piece = bytes | FilePart


@frozen
class Member:
    """A file of an archive. ``path`` is its name there, ``file`` where its bytes are."""

    path: str
    file: Path
    size: int
    sha256: str


@frozen
class Content:
    """Something to download.

    :param name: The file name that is proposed to whoever saves it.
    :param size: In bytes; None if it is not known in advance.
    :param etag: The text of a strong entity tag, without the quotes; None for none.
    :param pieces: What it consists of; it may be gone through several times.
    :param sha256: Of the whole, in hex, where it is known.
    :param ranges: Whether a part of it may be asked for.
    """

    name: str
    media_type: str
    size: int | None
    etag: str | None
    pieces: Iterable[Piece]
    sha256: str | None = None
    ranges: bool = True

    def cut(self, start: int, stop: int) -> Iterator[Piece]:
        """The pieces of the bytes from ``start`` to before ``stop``."""
        place = 0
        for piece in self.pieces:
            size = length_of(piece)
            first, last = max(start - place, 0), min(stop - place, size)
            if first < last:
                yield piece if (first, last) == (0, size) else _cut(piece, first, last)
            place += size


def length_of(piece: Piece) -> int:
    """Bytes of a piece."""
    return piece.length if isinstance(piece, FilePart) else len(piece)


def _cut(piece: Piece, first: int, last: int) -> Piece:
    if isinstance(piece, FilePart):
        return evolve(piece, offset=piece.offset + first, length=last - first)
    return piece[first:last]


def file_content(
    path: Path, name: str, sha256: str, size: int, media_type: str = "application/octet-stream"
) -> Content:
    """One whole file."""
    return Content(name, media_type, size, f"sha256:{sha256}", (FilePart(path, 0, size, size),), sha256)
