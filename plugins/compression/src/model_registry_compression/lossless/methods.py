"""The methods: each encodes a piece of a tensor, and decodes it to the same bytes.

``split``    planes of the numbers themselves
``delta``    planes of their differences from a base, taken as whole numbers: near floats have near words
``grouped``  the same, sorted by the size of the base's numbers, since a small one changes by less
``cast``     the base, rounded to fewer bits: nothing is stored
``zstd``     for what is no tensor
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model_registry_compression.lossless import entropy, planes
from model_registry_compression.lossless.numbers import (
    KINDS,
    Buffer,
    Kind,
    Words,
    exponents,
    folded,
    unfolded,
)

#: The least elements with a table of their own, as a share of a piece.
_GROUPS = 12


def split(kind: Kind, data: Buffer) -> bytes:
    words = kind.words(data)
    return planes.pack_floats(words) if kind.is_float else planes.pack(words)


def unsplit(kind: Kind, data: memoryview, size: int) -> Words:
    unpack = planes.unpack_floats if kind.is_float else planes.unpack
    return unpack(data, _count(kind, size), kind.width)


def delta(kind: Kind, data: Buffer, base: Buffer) -> bytes:
    return planes.pack(folded(kind.words(data) - kind.words(base)))


def undelta(kind: Kind, data: memoryview, size: int, base: Buffer) -> Words:
    words = unfolded(planes.unpack(data, _count(kind, size), kind.width))
    words += kind.words(base)
    return words


def grouped(kind: Kind, data: Buffer, base: Buffer) -> bytes:
    order, borders = _groups(kind.words(base))
    return planes.pack(folded((kind.words(data) - kind.words(base))[order]), borders)


def ungroup(kind: Kind, data: memoryview, size: int, base: Buffer) -> Words:
    order, borders = _groups(kind.words(base))
    difference = unfolded(planes.unpack(data, _count(kind, size), kind.width, borders))
    words = np.empty_like(difference)
    words[order] = difference
    words += kind.words(base)
    return words


def _groups(base: Words) -> tuple[NDArray[np.intp], list[int]]:
    """The elements in the order of their exponents, and where to cut so that each part holds near ones."""
    keys = exponents(base)
    order = np.argsort(keys, kind="stable")
    ends = np.searchsorted(keys[order], np.arange(256, dtype=np.uint8), side="right").tolist()
    return order, planes.cut_at(ends, max(len(base) // _GROUPS, 1))


def to_bfloat16(base: Buffer) -> Words:
    """float32 rounded to bfloat16, to the nearest and then to even. NaN stays one."""
    words = np.frombuffer(base, "<u4")
    rounded: Words = ((words + (((words >> 16) & 1) + np.uint32(0x7FFF))) >> 16).astype("<u2")
    is_nan = (words & 0x7FFFFFFF) > 0x7F800000
    if is_nan.any():
        rounded[is_nan] = ((words[is_nan] >> 16) | 0x40).astype("<u2")
    return rounded


def to_float16(base: Buffer) -> Words:
    with np.errstate(over="ignore"):
        words: Words = np.frombuffer(base, "<f4").astype("<f2").view("<u2")
    return words


#: (dtype of the base, dtype of the result): what makes the one of the other.
CASTS: dict[tuple[str, str], Callable[[Buffer], Words]] = {
    ("float32", "bfloat16"): to_bfloat16,
    ("float32", "float16"): to_float16,
}


def decode(method: str, data: memoryview, size: int, base: memoryview | None) -> Buffer | None:
    """The bytes of a piece; None for an unknown method.

    :raises ValueError: for data that no method made.
    """
    name, _, rest = method.partition("-")
    if name == "zstd":
        return entropy.decompress(data, size)
    if name == "cast" and base is not None:
        source, _, target = rest.partition("-")
        if (source, target) not in CASTS:
            return None
        return _bytes(CASTS[source, target](base), size)
    kind = KINDS.get(rest)
    if kind is None:
        return None
    if name == "split":
        return _bytes(unsplit(kind, data, size), size)
    if base is None or len(base) != size:
        raise ValueError("the base has another size")
    if name == "delta":
        return _bytes(undelta(kind, data, size, base), size)
    if name == "grouped" and kind.is_float:
        return _bytes(ungroup(kind, data, size, base), size)
    return None


def _bytes(words: Words, size: int) -> memoryview:
    if words.nbytes != size:
        raise ValueError("another size")
    return words.view(np.uint8).data


def _count(kind: Kind, size: int) -> int:
    if size % kind.width:
        raise ValueError("no whole elements")
    return size // kind.width
