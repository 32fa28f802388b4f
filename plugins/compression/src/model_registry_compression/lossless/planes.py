"""Planes: the first bytes of all elements, then the second bytes, and so on; each is a stream of its own.

A stream is stored as one byte (how), four bytes (how many follow) and these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model_registry_compression.lossless import entropy

Bytes = NDArray[np.uint8]
Words = NDArray[np.unsignedinteger]
_PLAIN, _ALIKE, _HUFFMAN = 0, 1, 2


def pack(words: Words, borders: Sequence[int] = ()) -> bytes:
    """The planes of words, each compressed.

    :param borders: Where each plane is cut, so that the parts have tables of their own.
    """
    cuts = [0, *borders, len(words)]
    bits = range(0, 8 * words.dtype.itemsize, 8)
    # Shifting and narrowing whole arrays is several times as fast as picking out every other byte.
    planes = ((words >> words.dtype.type(bit)).astype(np.uint8) for bit in bits)
    return b"".join(_packed(plane[start:stop]) for plane in planes for start, stop in _parts(cuts))


def unpack(data: memoryview, count: int, width: int, borders: Sequence[int] = ()) -> Words:
    """The words that were packed: so many, of so many bytes.

    :raises ValueError: if it is something else.
    """
    cuts = [0, *borders, count]
    streams = _read(data)
    planes = [_plane([_stream(next(streams), stop - start) for start, stop in _parts(cuts)]) for _ in range(width)]
    if next(streams, None) is not None:
        raise ValueError("more streams than planes")
    return _joined(planes) if width > 1 else planes[0].copy()


def _parts(cuts: Sequence[int]) -> list[tuple[int, int]]:
    return [(start, stop) for start, stop in pairwise(cuts) if stop > start]


def _plane(parts: list[Bytes]) -> Bytes:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def _joined(planes: Sequence[Words]) -> Words:
    """The words of which these are the parts, the lowest first."""
    if len(planes) == 1:
        return planes[0]
    half = len(planes) // 2
    low, high = _joined(planes[:half]), _joined(planes[half:])
    wide = high.astype(f"<u{2 * high.dtype.itemsize}")
    wide <<= wide.dtype.type(8 * high.dtype.itemsize)
    wide |= low
    return wide


def _packed(part: Bytes) -> bytes:
    if part[0] == part[-1] and not (part != part[0]).any():
        return bytes([_ALIKE, 1, 0, 0, 0, part[0]])
    data = entropy.huffman(part.data)
    how, stored = (_HUFFMAN, data) if len(data) < len(part) else (_PLAIN, part.tobytes())
    return b"".join([bytes([how]), len(stored).to_bytes(4, "little"), stored])


def _read(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "little")
        yield data[at], data[at + 5 : at + 5 + size]
        at += 5 + size


def _stream(told: tuple[int, memoryview], size: int) -> Bytes:
    how, stored = told
    if how == _HUFFMAN:
        return np.frombuffer(entropy.decompress(stored, size), np.uint8)
    if how == _ALIKE and len(stored) == 1:
        return np.full(size, stored[0], np.uint8)
    if how == _PLAIN and len(stored) == size:
        return np.frombuffer(stored, np.uint8)
    raise ValueError("a stream of another size")


def cut_at(ends: Iterable[int], least: int) -> list[int]:
    """Those of the ends of runs that leave at least so many elements to each part."""
    borders = [0]
    size = 0
    for size in ends:
        if size - borders[-1] >= least:
            borders.append(size)
    return [border for border in borders[1:] if border < size]
