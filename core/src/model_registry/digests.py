"""SHA-256 of memory and of files. ``hashlib`` releases the GIL, so several threads hash at once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from model_registry.progress import advance, is_heard

#: Bytes read and hashed at a time: large enough that Python's own cost vanishes, small enough to stay in the cache.
CHUNK = 1 << 20

_HEX = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: object) -> bool:
    """Whether ``text`` is 64 lower-case hex digits, and so safe as a file name."""
    return isinstance(text, str) and _HEX.fullmatch(text) is not None


def sha256_of_bytes(*buffers: bytes | bytearray | memoryview) -> str:
    """Hex SHA-256 of small buffers' bytes, one after the other. They count for no progress."""
    state = hashlib.sha256()
    for buffer in buffers:
        state.update(buffer)
    return state.hexdigest()


def sha256_of_buffers(buffers: Iterable[bytes | bytearray | memoryview]) -> str:
    """Hex SHA-256 of the buffers' bytes, one after the other; nothing is copied."""
    state = hashlib.sha256()
    for buffer in buffers:
        for piece in _pieces(buffer):
            state.update(piece)
            advance(piece.nbytes)
    return state.hexdigest()


def sha256_of_file(path: Path | str) -> str:
    """Hex SHA-256 of a file, read in chunks of 1 MiB."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return sha256_of_descriptor(descriptor)
    finally:
        os.close(descriptor)


def sha256_of_descriptor(descriptor: int) -> str:
    """The same, of an open file, from where it is."""
    state = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))
    while count := os.readv(descriptor, [buffer]):
        state.update(buffer[:count])
        advance(count)
    return state.hexdigest()


def _pieces(buffer: bytes | bytearray | memoryview) -> Iterator[memoryview]:
    """The buffer, in pieces only if somebody wants to see how far it is hashed."""
    view = memoryview(buffer)
    if view.nbytes <= CHUNK or not is_heard():
        yield view
        return
    view = view.cast("B")
    for start in range(0, view.nbytes, CHUNK):
        yield view[start : start + CHUNK]
