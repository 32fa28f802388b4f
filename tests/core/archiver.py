"""A plugin that archives, of the standard library alone: pieces of 1,000 bytes, told by a base where there is one."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial

from model_registry import ColdFile, Encoded, Span, hookimpl

PIECE = 1_000


class Archiver:
    """Prefers a base of the same size to being small, so that tests get long chains of few bytes."""

    @hookimpl(tryfirst=True)
    def encode(self, cold: ColdFile) -> Iterator[Callable[[], Encoded]]:
        return (partial(_encode, cold, start) for start in range(0, cold.size, PIECE))

    @hookimpl(tryfirst=True)
    def decode(self, method: str, data: memoryview, size: int, base: memoryview | None) -> bytes | None:
        if method == "test-xor" and base is not None:
            return _xor(data, base)
        return zlib.decompress(data) if method == "test-zlib" else None


def _encode(cold: ColdFile, start: int) -> Encoded:
    size = min(PIECE, cold.size - start)
    data = bytes(cold.read(start, size))
    for base in cold.bases:
        if base.size == cold.size:
            told = _xor(data, base.read(start, size))
            return Encoded(size, "test-xor", told, Span(base.sha256, start, size))
    return Encoded(size, "test-zlib", zlib.compress(data))


def _xor(a: bytes | memoryview, b: bytes | bytearray | memoryview) -> bytes:
    return bytes(x ^ y for x, y in zip(a, bytes(b), strict=True))
