"""Tensors side by side: whether their bytes are equal and, if asked, by how much they differ.

Every byte is read at most once, by several threads at once, into a few buffers that are used again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import attrs

from model_registry import workers
from model_registry.errors import IntegrityError, StorageError

#: Bytes of each of the two that are read and compared at a time: whole elements of any dtype.
_CHUNK = 1 << 20
#: Bytes of each that one thread takes on, and tensors at most: large tensors are shared out, small ones are not.
_SHARE = 8 << 20
_MOST_TENSORS = 256

#: The greatest and the sum of the absolute differences of two pieces; None for a dtype that cannot be measured.
Measure = Callable[[str, memoryview, memoryview], tuple[float, float] | None]


@attrs.frozen
class Place:
    """Where bytes begin: a file, which has been verified, and the offset in it."""

    path: Path
    offset: int


@attrs.frozen
class Pair:
    """Two tensors of one dtype and as many bytes."""

    dtype: str
    nbytes: int
    a: Place
    b: Place


@attrs.frozen
class Outcome:
    """What a look at a pair told; ``greatest`` and ``total`` are None if they were not asked for or cannot be told."""

    equal: bool
    greatest: float | None
    total: float | None


def compare_bytes(pairs: Iterable[Pair], measure: Measure | None) -> dict[Pair, Outcome]:
    """Look at each pair. Without ``measure``, no more is read of a pair once it is known to differ.

    :raises IntegrityError: if a file has become shorter.
    """
    looks = [_Look(pair, measure) for pair in dict.fromkeys(pairs)]
    workers.run_all(partial(_work, _Buffers()), list(_shares(looks)))
    return {look.pair: look.outcome() for look in looks}


class _Look:
    """One pair, and what several threads have found so far."""

    def __init__(self, pair: Pair, measure: Measure | None) -> None:
        self.pair = pair
        self._measure = measure
        self._differs = False
        self._measured: dict[int, tuple[float, float]] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing can be learned from more bytes."""
        return self._differs and self._measure is None

    def differs(self, start: int, a: memoryview, b: memoryview) -> None:
        """Note that pieces which begin at ``start`` differ, and by how much."""
        self._differs = True
        told = None if self._measure is None else self._measure(self.pair.dtype, a, b)
        if told is None:
            self._measure = None
        else:
            self._measured[start] = told

    def outcome(self) -> Outcome:
        if self._measure is None:
            return Outcome(not self._differs, None, None)
        found = [self._measured[start] for start in sorted(self._measured)]  # sums depend on the order
        return Outcome(not self._differs, max((m for m, _ in found), default=0.0), sum(total for _, total in found))


_Share = Sequence[tuple[_Look, int, int]]


def _shares(looks: Iterable[_Look]) -> Iterator[_Share]:
    """The work in pieces of about equal size: (pair, from, to) of each."""
    share: list[tuple[_Look, int, int]] = []
    size = 0
    for look in looks:
        for start in range(0, look.pair.nbytes, _SHARE):
            stop = min(start + _SHARE, look.pair.nbytes)
            if share and (size + stop - start > _SHARE or len(share) == _MOST_TENSORS):
                yield share
                share, size = [], 0
            share.append((look, start, stop))
            size += stop - start
    if share:
        yield share


class _Buffers:
    """Pairs of buffers that threads borrow: as many as there are threads at work."""

    def __init__(self) -> None:
        self._free: list[tuple[bytearray, bytearray]] = []

    @contextmanager
    def borrowed(self) -> Iterator[tuple[bytearray, bytearray]]:
        try:
            pair = self._free.pop()
        except IndexError:
            pair = bytearray(_CHUNK), bytearray(_CHUNK)
        yield pair
        self._free.append(pair)


class _OpenFiles:
    """Files opened when they are first needed, until the end of the block."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._descriptors: dict[Path, int] = {}

    def read(self, place: Place, start: int, buffer: memoryview) -> None:
        """Fill the buffer with what lies ``start`` bytes after a place."""
        try:
            if place.path not in self._descriptors:
                descriptor = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC)
                self._stack.callback(os.close, descriptor)
                self._descriptors[place.path] = descriptor
            _fill(self._descriptors[place.path], place.offset + start, buffer, place.path)
        except OSError as error:
            reason = f"blob {place.path} cannot be read: {error.strerror}"
            raise StorageError(reason, hint="check the disk", path=str(place.path)) from error


def _fill(descriptor: int, offset: int, buffer: memoryview, path: Path) -> None:
    done = 0
    while done < len(buffer):
        count = os.preadv(descriptor, [buffer[done:]], offset + done)
        if count == 0:
            raise IntegrityError(f"blob {path} became shorter while it was read", path=str(path))
        done += count


def _work(buffers: _Buffers, share: _Share) -> None:
    with buffers.borrowed() as (a, b), ExitStack() as stack:
        files = _OpenFiles(stack)
        for look, start, stop in share:
            for at in range(start, stop, _CHUNK):
                if look.is_over:
                    break
                size = min(_CHUNK, stop - at)
                left, right = memoryview(a)[:size], memoryview(b)[:size]
                files.read(look.pair.a, at, left)
                files.read(look.pair.b, at, right)
                if not _equal(a, b, size):
                    look.differs(at, left.toreadonly(), right.toreadonly())


def _equal(a: bytearray, b: bytearray, size: int) -> bool:
    """Whether two buffers begin with the same bytes. Whole buffers are compared without a copy, as memory is; views of
    them would be compared element by element."""
    return a == b if size == _CHUNK else a[:size] == b[:size]
