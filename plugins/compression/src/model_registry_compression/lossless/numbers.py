"""Numbers as words that compress well. All arithmetic is on whole numbers, which wrap around: nothing is rounded."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Words = NDArray[np.unsignedinteger]
Buffer = bytes | bytearray | memoryview


@frozen
class Kind:
    """What the elements of a tensor are.

    :param name: ``f4`` for floats of four bytes, ``i1`` for whole numbers of one, …
    """

    name: str

    @property
    def is_float(self) -> bool:
        return self.name[0] == "f"

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return int(self.name[1:])

    def words(self, data: Buffer) -> Words:
        """The elements as they are stored, unsigned; not a copy."""
        found: Words = np.frombuffer(data, f"<u{self.width}")
        return found


KINDS = {name: Kind(name) for name in ("f2", "f4", "f8", "i1", "i2", "i4", "i8")}
_BY_DTYPE = {
    **dict.fromkeys(("float16", "bfloat16"), "f2"),
    "float32": "f4",
    "float64": "f8",
    **dict.fromkeys(("int16", "uint16"), "i2"),
    **dict.fromkeys(("int32", "uint32"), "i4"),
    **dict.fromkeys(("int64", "uint64"), "i8"),
}


def kind_of(dtype: str) -> Kind:
    """How the elements of a dtype are treated; those of unknown ones as single bytes."""
    return KINDS[_BY_DTYPE.get(dtype, "i1")]


#: Of a float's highest two bytes: the sign and the lowest seven bits, which are those that hardly compress.
_REST = np.uint16(0x807F)
#: Words of so many bytes are long.
_BIASED = 4
_BYTE, _SEVEN, _SCALE = np.uint16(8), np.uint16(7), np.uint16(1 << 7)


def parted(tops: Words) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Of floats' highest two bytes: what is left of them, a byte each, and the eight bits below the sign.

    The first half's bytes and the second half's alternate, so that :func:`joined` picks them out by whole words.
    """
    half = (len(tops) + 1) // 2
    first, second = tops[:half] & _REST, np.zeros(half, np.uint16)
    np.bitwise_and(tops[half:], _REST, out=second[: len(tops) - half])
    first |= (second << _BYTE) | (second >> _BYTE)
    return first.view(np.uint8), (tops >> _SEVEN).astype(np.uint8)


def joined(rest: NDArray[np.uint8], high: NDArray[np.uint8]) -> Words:
    """Undo ``parted``: as few passes over the words as numpy allows, since they take most of the time."""
    pairs, half = rest.view("<u2"), (len(high) + 1) // 2
    tops = np.empty(2 * half, np.uint16)
    first, second = tops[:half], tops[half:]
    np.right_shift(pairs, _BYTE, out=second)
    np.left_shift(pairs, _BYTE, out=first)
    second |= first
    second &= _REST
    np.bitwise_and(pairs, _REST, out=first)
    found: Words = tops[: len(high)]
    wide = high.astype(np.uint16)
    wide *= _SCALE
    found |= wide
    return found


def folded(words: Words) -> Words:
    """Differences, which wrap around, so that the bytes of small ones of either sign are alike; uses up its argument.

    In words of four bytes or more, each byte gets 128 added, with carries: that is undone in a single pass. In shorter
    ones, the sign goes to the lowest bit, which takes longer and less room.
    """
    if words.dtype.itemsize >= _BIASED:
        words += _bias(words)
        return words
    sign = words >> words.dtype.type(8 * words.dtype.itemsize - 1)
    np.negative(sign, out=sign)
    words <<= words.dtype.type(1)
    words ^= sign
    return words


def unfolded(words: Words) -> Words:
    """Undo ``folded``; uses up its argument."""
    if words.dtype.itemsize >= _BIASED:
        words -= _bias(words)
        return words
    sign = words & words.dtype.type(1)
    np.negative(sign, out=sign)
    words >>= words.dtype.type(1)
    words ^= sign
    return words


def _bias(words: Words) -> np.unsignedinteger:
    bias: np.unsignedinteger = np.frombuffer(b"\x80" * words.dtype.itemsize, words.dtype)[0]
    return bias


def exponents(words: Words) -> NDArray[np.uint8]:
    """The highest eight bits below the sign of each float: all of its exponent, or most of it."""
    width = words.dtype.itemsize
    high = words if width == 2 else words.view("<u2").reshape(-1, width // 2)[:, -1]
    keys: NDArray[np.uint8] = (high >> high.dtype.type(7)).astype(np.uint8)
    return keys
