"""Planes: the first bytes of all elements, then the second bytes, and so on; each is a stream of its own.

A stream is stored as one byte (how), four bytes (how many follow) and these. Two neighbouring planes of which neither
gets smaller are one stream of words of two bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model_registry_compression.lossless import entropy
from model_registry_compression.lossless.numbers import joined, parted

Bytes = NDArray[np.uint8]
Words = NDArray[np.unsignedinteger]
_PLAIN, _ALIKE, _HUFFMAN, _PAIR = 0, 1, 2, 3
_END = (255, memoryview(b""))
_SHORT = np.uint16(8)


def pack(words: Words, borders: Sequence[int] = ()) -> bytes:
    """The planes of words, each compressed.

    :param borders: Where each plane is cut, so that the parts have tables of their own.
    """
    parts = _parts([0, *borders, len(words)])
    if words.dtype.itemsize == 1:
        return b"".join(_packed(words[start:stop]) for start, stop in parts)
    return b"".join(_packed_pair(short[start:stop]) for short in _shorts(words) for start, stop in parts)


def unpack(data: memoryview, count: int, width: int, borders: Sequence[int] = ()) -> Words:
    """The words that were packed: so many, of so many bytes.

    :raises ValueError: if it is something else.
    """
    parts = _parts([0, *borders, count])
    streams = _read(data)
    if width == 1:
        words = _whole([_stream(next(streams), stop - start) for start, stop in parts], np.uint8).copy()
    else:
        words = _joined(
            [_whole([_pair(streams, stop - start) for start, stop in parts], np.uint16) for _ in range(width // 2)]
        )
    return _all(words, streams)


def pack_floats(words: Words) -> bytes:
    """Floats, at least one: their exponents, which compress best, are a plane of their own."""
    *lower, tops = _shorts(words)
    return b"".join([*map(_packed_pair, lower), *map(_packed, parted(tops))])


def unpack_floats(data: memoryview, count: int, width: int) -> Words:
    """The floats that were packed.

    :raises ValueError: if it is something else.
    """
    streams = _read(data)
    lower = [_pair(streams, count) for _ in range(width // 2 - 1)]
    rest = _stream(next(streams), count + count % 2)
    return _all(_joined([*lower, joined(rest, _stream(next(streams), count))]), streams)


def _all(words: Words, streams: Iterator[tuple[int, memoryview]]) -> Words:
    if next(streams) is not _END:
        raise ValueError("more streams than planes")
    return words


def _shorts(words: Words) -> Iterator[Words]:
    """Words of two bytes, the lowest first. Shifting and narrowing whole arrays is faster than picking bytes out."""
    if words.dtype.itemsize == 2:
        yield words
        return
    for bit in range(0, 8 * words.dtype.itemsize, 16):
        yield (words >> words.dtype.type(bit)).astype(np.uint16)


def _parts(cuts: Sequence[int]) -> list[tuple[int, int]]:
    return [(start, stop) for start, stop in pairwise(cuts) if stop > start]


def _whole(parts: list[Words], dtype: type[np.unsignedinteger]) -> Words:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _joined(parts: Sequence[Words]) -> Words:
    """The words of which these are the parts, the lowest first."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    low, high = _joined(parts[:half]), _joined(parts[half:])
    wide = high.astype(f"<u{2 * high.dtype.itemsize}")
    wide <<= wide.dtype.type(8 * high.dtype.itemsize)
    found: Words = np.bitwise_or(wide, low.astype(wide.dtype), out=wide)
    return found


def _packed_pair(short: Words) -> bytes:
    """Two planes; one stream, if neither gets smaller."""
    low, high = _packed(short.astype(np.uint8)), _packed((short >> _SHORT).astype(np.uint8))
    return _told(_PAIR, short.tobytes()) if low[0] == high[0] == _PLAIN else low + high


def _pair(streams: Iterator[tuple[int, memoryview]], count: int) -> Words:
    how, stored = next(streams)
    if how == _PAIR:
        if len(stored) != 2 * count:
            raise ValueError("a stream of another size")
        words: Words = np.frombuffer(stored, "<u2").copy()
        return words
    low, high = _stream((how, stored), count), _stream(next(streams), count)
    return _joined([low, high])


def _packed(part: Bytes) -> bytes:
    if part[0] == part[-1] and not (part != part[0]).any():
        return bytes([_ALIKE, 1, 0, 0, 0, part[0]])
    data = entropy.huffman(part.data)
    how, stored = (_HUFFMAN, data) if len(data) < len(part) else (_PLAIN, part.tobytes())
    return _told(how, stored)


def _told(how: int, stored: bytes) -> bytes:
    return b"".join([bytes([how]), len(stored).to_bytes(4, "little"), stored])


def _read(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(how, what is stored) of each stream, and then, for who asks for more than there are, streams of nothing."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "little")
        yield data[at], data[at + 5 : at + 5 + size]
        at += 5 + size
    while True:
        yield _END


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
