"""By how much two pieces of a tensor differ, from their bytes alone: numpy, and no torch.

Differences of integers are exact. Those of floats of up to 32 bits are taken in float32: the greatest is right to one
part in ten million and the sum, which numpy adds up pairwise, to some in a million. Of complex numbers, the modulus is
meant.
NaN against NaN counts as 0, like every infinity against itself; NaN against anything else counts as infinity.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview
Measured = tuple[float, float]

#: Elements looked at together: few enough for the processor's cache, enough that threads seldom wait for each other.
_BLOCK = 1 << 17


def difference(dtype: str, a: Buffer, b: Buffer) -> Measured | None:
    """The greatest and the sum of the absolute differences, element by element; None for a dtype not known here.

    :param dtype: The name that torch has for it, such as ``"bfloat16"``.
    :param a: Bytes of whole elements, little-endian. ``b`` has as many.
    """
    reader = _READERS.get(dtype)
    if reader is None:
        return None
    import numpy

    stored, values_of, measure = reader
    left, right = numpy.frombuffer(a, stored), numpy.frombuffer(b, stored)
    greatest = total = 0.0
    with numpy.errstate(all="ignore"):
        for start in range(0, len(left), _BLOCK):
            block = slice(start, start + _BLOCK)
            found, added = measure(values_of(left[block]), values_of(right[block]))
            greatest, total = max(greatest, found), total + added
    return greatest, total


def _of_floats(a: NDArray[Any], b: NDArray[Any]) -> Measured:
    import numpy

    distance = a - b
    distance = numpy.abs(distance, out=distance if distance.dtype.kind == "f" else None)
    greatest, total = float(distance.max()), float(distance.sum())
    return (greatest, total) if math.isfinite(total) else _of_extremes(a, b)


def _of_extremes(a: NDArray[Any], b: NDArray[Any]) -> Measured:
    """The same, where values are infinite, not numbers, or too far apart for float32."""
    import numpy

    wide = numpy.complex128 if a.dtype.kind == "c" else numpy.float64
    distance = numpy.abs(a.astype(wide) - b.astype(wide))
    distance[(a == b) | (numpy.isnan(a) & numpy.isnan(b))] = 0
    distance[numpy.isnan(distance)] = numpy.inf
    return float(distance.max()), float(distance.sum())


def _of_integers(a: NDArray[Any], b: NDArray[Any]) -> Measured:
    """In the unsigned type of the same size, which holds the distance of any two numbers."""
    import numpy

    unsigned = f"<u{a.dtype.itemsize}"
    distance = numpy.maximum(a, b).view(unsigned) - numpy.minimum(a, b).view(unsigned)
    return float(distance.max()), float(distance.sum(dtype=numpy.float64))


def _as_they_are(stored: NDArray[Any]) -> NDArray[Any]:
    return stored


def _float32(stored: NDArray[Any]) -> NDArray[Any]:
    import numpy

    return stored.astype(numpy.float32)


def _truth(stored: NDArray[Any]) -> NDArray[Any]:
    import numpy

    values: NDArray[Any] = (stored != 0).view(numpy.uint8)
    return values


def _bfloat16(stored: NDArray[Any]) -> NDArray[Any]:
    """The upper half of a float32."""
    wide = stored.astype("<u4")
    wide <<= 16
    return wide.view("<f4")


def _float8(exponent: int, bias: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """:param exponent: How many of the bits are the exponent's: 4, 5, or all 8."""

    def values_of(stored: NDArray[Any]) -> NDArray[Any]:
        taken: NDArray[Any] = _float8_table(exponent, bias).take(stored)
        return taken

    return values_of


@functools.cache
def _float8_table(exponent: int, bias: int) -> NDArray[numpy.float32]:
    import numpy

    value = _scale if exponent == 8 else functools.partial(_small_float, exponent)
    return numpy.array([value(bits, bias) for bits in range(256)], numpy.float32)


def _scale(bits: int, bias: int) -> float:
    """A power of two, as the Open Compute Project's microscaling formats have it: no sign, no zero."""
    return float("nan") if bits == 0xFF else 2.0 ** (bits - bias)


def _small_float(exponent: int, bits: int, bias: int) -> float:
    """Sign, exponent, mantissa. With 5 bits of exponent, infinity and NaN are where IEEE 754 has them; with 4 there is
    no infinity, and only a mantissa full of ones is NaN (arXiv:2209.05433)."""
    width = 7 - exponent
    power, fraction = (bits & 0x7F) >> width, bits & ((1 << width) - 1)
    sign = -1.0 if bits & 0x80 else 1.0
    if power == (1 << exponent) - 1:
        if exponent == 5:
            return sign * float("inf") if fraction == 0 else float("nan")
        if fraction == (1 << width) - 1:
            return float("nan")
    if power == 0:
        return sign * fraction * 2.0 ** (1 - bias - width)
    return sign * (1 + fraction / (1 << width)) * 2.0 ** (power - bias)


_Reader = tuple[str, Callable[["NDArray[Any]"], "NDArray[Any]"], Callable[["NDArray[Any]", "NDArray[Any]"], Measured]]

#: dtype: (how numpy reads it, the numbers it stands for, how they are measured)
_READERS: Mapping[str, _Reader] = {
    "float64": ("<f8", _as_they_are, _of_floats),
    "float32": ("<f4", _as_they_are, _of_floats),
    "float16": ("<f2", _float32, _of_floats),
    "bfloat16": ("<u2", _bfloat16, _of_floats),
    "float8_e4m3fn": ("u1", _float8(4, 7), _of_floats),
    "float8_e5m2": ("u1", _float8(5, 15), _of_floats),
    "float8_e8m0fnu": ("u1", _float8(8, 127), _of_floats),
    "complex64": ("<c8", _as_they_are, _of_floats),
    "complex128": ("<c16", _as_they_are, _of_floats),
    "bool": ("u1", _truth, _of_integers),
    **{
        f"{sign}int{8 * size}": (f"<{sign or 'i'}{size}", _as_they_are, _of_integers)
        for sign in ("", "u")
        for size in (1, 2, 4, 8)
    },
}
