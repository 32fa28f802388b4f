"""Reading blobs wherever they are kept: from their plain files, else from packs, piece by piece."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from model_registry import workers
from model_registry.archive.folder import MOST_STEPS, Listing, Packs
from model_registry.archive.pack import Piece, Table, read_head, read_table
from model_registry.durable import WRITE_BEHIND, write_all, write_behind
from model_registry.errors import IntegrityError, ModelRegistryError, StorageError, UnsafeModelError
from model_registry.plain_files import open_plain
from model_registry.progress import advance, aside

Buffer = bytes | bytearray | memoryview
#: ``decode(method, data, size, base)`` gives the bytes of a piece that was encoded by a plugin.
Decode = Callable[[str, memoryview, int, "memoryview | None"], Buffer]
Item = TypeVar("Item")
Result = TypeVar("Result")

RAW, SAME = "raw", "same"
#: Bytes that may be decoded to restore a blob: so many times its own, and so many more. A chain of casts takes fewer.
_MOST_TIMES = 64
_MOST_WORK = 1 << 30
#: What a piece costs however small it is, in the time of so many bytes.
_LEAST_WORK = 16 << 10
#: Pieces of bases that are remembered.
_MOST_RECENT = 32
_HINT = "restore the file from a copy of the registry, or register the same model again"


class Reader:
    """Reads blobs, from several threads. A block keeps the packs open that it reads::

        with Reader(packs, plain, decode) as reader:
            sha256 = reader.restore(blob, write)

    :param plain: The plain file of a blob, or where it would be.
    """

    def __init__(self, packs: Packs, plain: Callable[[str], Path], decode: Decode | None) -> None:
        self._packs = packs
        self._plain = plain
        self._decode = decode
        self._listing: Listing = packs.listing()
        self._stack = ExitStack()
        self._descriptors: dict[str, int] = {}
        self._opened: dict[str, tuple[int, Table]] = {}
        self._included: set[str] = set()
        self._recent: OrderedDict[tuple[str, int], memoryview] = OrderedDict()
        self._left = _MOST_WORK

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.clear()
        self._recent.clear()
        self._stack.close()

    def include(self, path: Path, name: str) -> None:
        """Read from a pack that is not published yet, and not from plain files, what it holds."""
        descriptor = self._stack.enter_context(open_plain(path))
        for sha256, packed in read_head(path, name).blobs.items():
            self._opened[sha256] = (descriptor, read_table(path, packed))
            self._included.add(sha256)

    def read(self, sha256: str, offset: int, size: int, steps: int = 0) -> memoryview:
        """Bytes of a blob, unverified.

        :raises IntegrityError: if they cannot be had.
        """
        plain = None if sha256 in self._included else self._read_plain(sha256, offset, size)
        if plain is not None:
            return plain
        if steps > MOST_STEPS:
            raise _lost(sha256, f"it is told by more than {MOST_STEPS} others, one after the other")
        descriptor, table = self._open(sha256)
        pieces = list(table.between(offset, offset + size)) if size else []
        decoded = [self._remembered(sha256, descriptor, piece, steps) for piece in pieces]
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
        self._left = _MOST_WORK + _MOST_TIMES * sum(piece.size for piece in table.pieces)
        for data in in_order(lambda piece: self._piece(sha256, descriptor, piece, 0), table.pieces):
            state.update(data)
            write(data)
            advance(len(data))
        return state.hexdigest()

    def _remembered(self, sha256: str, descriptor: int, piece: Piece, steps: int) -> memoryview:
        """A piece of a base. Where pieces of two blobs do not begin together, each is asked for twice."""
        key = (sha256, piece.start)
        found = self._recent.get(key)
        if found is None:
            found = self._recent[key] = self._piece(sha256, descriptor, piece, steps)
            while len(self._recent) > _MOST_RECENT:
                with suppress(KeyError):  # another thread was first
                    self._recent.popitem(last=False)
        return found

    def _piece(self, sha256: str, descriptor: int, piece: Piece, steps: int) -> memoryview:
        span = piece.base
        self._left -= max(piece.size + (span.size if span else 0), _LEAST_WORK)
        if self._left < 0:
            raise _lost(sha256, "it is told in a way that would take for ever")
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

    def _read_plain(self, sha256: str, offset: int, size: int) -> memoryview | None:
        """Bytes of the plain file of a blob; None if there is none. It is not kept open: a model has many."""
        try:
            with open_plain(self._plain(sha256)) as descriptor:
                data = os.pread(descriptor, size, offset)
        except (StorageError, UnsafeModelError):
            return None
        if len(data) != size:
            raise _lost(sha256, "it is too short")
        return memoryview(data)

    def _open(self, sha256: str) -> tuple[int, Table]:
        if sha256 not in self._opened:
            head = self._listing.holders.get(sha256)
            if head is None:
                raise _lost(sha256, "no pack holds it")
            if head.name not in self._descriptors:
                self._descriptors[head.name] = self._stack.enter_context(open_plain(self._packs.path(head.name)))
            self._opened[sha256] = (self._descriptors[head.name], self._packs.table(head, sha256))
        return self._opened[sha256]


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
