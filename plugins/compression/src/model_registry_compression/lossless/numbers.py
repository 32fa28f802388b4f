"""Numbers as words that compress well. All arithmetic is on whole numbers, which wrap around: nothing is rounded."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

Words = NDArray[np.unsignedinteger]
Signed = NDArray[np.signedinteger]
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


def rotated(words: Words) -> Words:
    """The sign moved from the highest bit to the lowest, so that the exponent fills the highest byte."""
    one, rest = words.dtype.type(1), words.dtype.type(words.dtype.itemsize * 8 - 1)
    turned: Words = (words << one) | (words >> rest)
    return turned


def rotate_back(words: Words) -> None:
    """Undo ``rotated``, in place."""
    one, rest = words.dtype.type(1), words.dtype.type(words.dtype.itemsize * 8 - 1)
    sign = words << rest
    words >>= one
    words |= sign


def ordered(words: Words) -> Signed:
    """Floats as whole numbers in the same order, so that what is near has a small difference. Its own inverse."""
    signed = words.view(f"i{words.dtype.itemsize}")
    bits = words.dtype.itemsize * 8
    mask = signed >> signed.dtype.type(bits - 1)
    mask &= signed.dtype.type((1 << (bits - 1)) - 1)
    found: Signed = np.bitwise_xor(mask, signed, out=mask)
    return found


def zigzag(signed: Signed) -> Words:
    """Whole numbers of either sign, small ones as small ones without."""
    bits = signed.dtype.itemsize * 8
    sign = signed >> signed.dtype.type(bits - 1)
    folded = signed << signed.dtype.type(1)
    folded ^= sign
    words: Words = folded.view(f"u{signed.dtype.itemsize}")
    return words


def unzigzag(words: Words) -> Signed:
    """Undo ``zigzag``; uses up its argument."""
    signed = words.view(f"i{words.dtype.itemsize}")
    sign = signed & signed.dtype.type(1)
    np.negative(sign, out=sign)
    words >>= words.dtype.type(1)
    signed ^= sign
    return signed


def exponents(words: Words) -> NDArray[np.uint8]:
    """The highest eight bits below the sign of each float: all of its exponent, or most of it."""
    width = words.dtype.itemsize
    high = words if width == 2 else words.view("<u2").reshape(-1, width // 2)[:, -1]
    keys: NDArray[np.uint8] = (high >> high.dtype.type(7)).astype(np.uint8)
    return keys
