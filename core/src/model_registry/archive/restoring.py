"""Reading blobs wherever they are kept: from their plain files, else from packs, piece by piece."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from model_registry import workers
from model_registry.archive.folder import MOST_STEPS, Listing, Packs
from model_registry.archive.pack import Piece, Table, read_head, read_table
from model_registry.durable import WRITE_BEHIND, write_all, write_behind
from model_registry.errors import IntegrityError, ModelRegistryError
from model_registry.plain_files import open_plain
from model_registry.progress import advance, aside

Buffer = bytes | bytearray | memoryview
#: ``decode(method, data, size, base)`` gives the bytes of a piece that was encoded by a plugin.
Decode = Callable[[str, memoryview, int, "memoryview | None"], Buffer]
Item = TypeVar("Item")
Result = TypeVar("Result")

RAW, SAME = "raw", "same"
_HINT = "restore the file from a copy of the registry, or register the same model again"


class Reader:
    """Reads blobs, from several threads. A block keeps the files open that it reads::

        with Reader(packs, plain, decode) as reader:
            sha256 = reader.restore(blob, descriptor)

    :param plain: The plain file of a blob, or where it would be.
    """

    def __init__(self, packs: Packs, plain: Callable[[str], Path], decode: Decode | None) -> None:
        self._packs = packs
        self._plain = plain
        self._decode = decode
        self._listing: Listing = packs.listing()
        self._maps: dict[str, memoryview | None] = {}
        self._opened: dict[str, tuple[int, Table]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self._maps.clear()
        self._opened.clear()
        self._stack.close()

    def include(self, path: Path, name: str) -> None:
        """Read from a pack that is not published yet, and not from plain files, what it holds."""
        descriptor = self._stack.enter_context(open_plain(path))
        for sha256, packed in read_head(path, name).blobs.items():
            self._opened[sha256] = (descriptor, read_table(path, packed))
            self._maps[sha256] = None

    def read(self, sha256: str, offset: int, size: int, steps: int = 0) -> memoryview:
        """Bytes of a blob, unverified.

        :raises IntegrityError: if they cannot be had.
        """
        plain = self._map(sha256)
        if plain is not None:
            if offset + size > len(plain):
                raise _lost(sha256, "it is too short")
            return plain[offset : offset + size]
        if steps > MOST_STEPS:
            raise _lost(sha256, f"it is told by more than {MOST_STEPS} others, one after the other")
        descriptor, table = self._open(sha256)
        pieces = list(table.between(offset, offset + size)) if size else []
        decoded = [self._piece(sha256, descriptor, piece, steps) for piece in pieces]
        if len(pieces) == 1 and (pieces[0].start, pieces[0].size) == (offset, size):
            return decoded[0]
        start = pieces[0].start if pieces else offset
        whole = memoryview(b"".join(decoded))[offset - start : offset - start + size]
        if len(whole) != size:
            raise _lost(sha256, "it is too short")
        return whole

    def restore(self, sha256: str, write: Callable[[memoryview], object]) -> str:
        """Hand the whole blob to ``write``, in order; several threads decode. Returns the SHA-256 of what was written,
        which is for the caller to compare."""
        state = hashlib.sha256()
        descriptor, table = self._open(sha256)
        for data in in_order(lambda piece: self._piece(sha256, descriptor, piece, 0), table.pieces):
            state.update(data)
            write(data)
            advance(len(data))
        return state.hexdigest()

    def _piece(self, sha256: str, descriptor: int, piece: Piece, steps: int) -> memoryview:
        span = piece.base
        base = None if span is None else self.read(span.sha256, span.offset, span.size, steps + 1)
        if piece.method == SAME and base is not None:
            data: Buffer = base
        else:
            stored = os.pread(descriptor, piece.stored, piece.offset)
            if len(stored) != piece.stored:
                raise _lost(sha256, "its pack is too short")
            data = stored if piece.method == RAW else self._decoded(sha256, piece, stored, base)
        view = memoryview(data).cast("B")
        if len(view) != piece.size:
            raise _lost(sha256, f"a piece of {piece.size} bytes has {len(view)}")
        return view

    def _decoded(self, sha256: str, piece: Piece, stored: bytes, base: memoryview | None) -> Buffer:
        if self._decode is None:
            raise _lost(sha256, "nothing decodes it here")
        try:
            return self._decode(piece.method, memoryview(stored), piece.size, base)
        except ModelRegistryError:
            raise
        except Exception as error:  # of a library, about bytes that somebody changed
            raise _lost(sha256, f"a piece cannot be decoded ({error})") from error

    def _map(self, sha256: str) -> memoryview | None:
        """The plain file of a blob, mapped; None if there is none."""
        if sha256 not in self._maps:
            self._maps[sha256] = _mapped(self._plain(sha256))
        return self._maps[sha256]

    def _open(self, sha256: str) -> tuple[int, Table]:
        if sha256 not in self._opened:
            head = self._listing.holders.get(sha256)
            if head is None:
                raise _lost(sha256, "no pack holds it")
            descriptor = self._stack.enter_context(open_plain(self._packs.path(head.name)))
            self._opened[sha256] = (descriptor, self._packs.table(head, sha256))
        return self._opened[sha256]


def _mapped(path: Path) -> memoryview | None:
    try:
        with open_plain(path) as descriptor:
            if os.fstat(descriptor).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    except ModelRegistryError:
        return None


class Writer:
    """Writes what it is called with to a file, and lets the disk begin early."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = self._begun = 0

    def __call__(self, data: memoryview) -> None:
        with aside():
            self._size += write_all(self._descriptor, [data])
        if self._size - self._begun >= WRITE_BEHIND:
            write_behind(self._descriptor, self._begun, self._size - self._begun)
            self._begun = self._size


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``work`` on every item, several at once but few ahead, in order."""
    ahead = 2 * (os.cpu_count() or 1) + 1
    waiting: deque[Callable[[], Result]] = deque()
    for item in items:
        waiting.append(workers.alongside(partial(work, item)))
        if len(waiting) > ahead:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


def _lost(sha256: str, why: str) -> IntegrityError:
    return IntegrityError(f"blob {sha256} cannot be restored from the archive: {why}", hint=_HINT, expected=sha256)
