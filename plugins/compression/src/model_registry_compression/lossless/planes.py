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
_PLAIN, _ALIKE, _HUFFMAN = 0, 1, 2


def pack(words: NDArray[np.unsignedinteger], borders: Sequence[int] = ()) -> bytes:
    """The planes of words, each compressed.

    :param borders: Where each plane is cut, so that the parts have tables of their own.
    """
    cuts = [0, *borders, len(words)]
    columns = words.view(np.uint8).reshape(len(words), -1)
    return b"".join(_streams(columns[:, plane], cuts) for plane in range(columns.shape[1]))


def unpack(data: memoryview, words: NDArray[np.unsignedinteger], borders: Sequence[int] = ()) -> None:
    """Fill ``words`` with what was packed.

    :raises ValueError: if that is something else.
    """
    cuts = [0, *borders, len(words)]
    columns = words.view(np.uint8).reshape(len(words), -1)
    streams = _read(data)
    for plane in range(columns.shape[1]):
        for start, stop in pairwise(cuts):
            if stop > start:
                how, stored = next(streams)
                columns[start:stop, plane] = _stream(how, stored, stop - start)
    if next(streams, None) is not None:
        raise ValueError("more streams than planes")


def _streams(plane: Bytes, cuts: Sequence[int]) -> bytes:
    whole = np.ascontiguousarray(plane)
    return b"".join(_packed(whole[start:stop]) for start, stop in pairwise(cuts) if stop > start)


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


def _stream(how: int, stored: memoryview, size: int) -> Bytes | int:
    if how == _HUFFMAN:
        return np.frombuffer(entropy.decompress(stored, size), np.uint8)
    if how == _ALIKE and len(stored) == 1:
        return stored[0]
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
