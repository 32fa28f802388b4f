"""What a model takes, and values for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

#: Bytes of an element, by the names that NumPy has for its types.
ITEM_BYTES: Mapping[str, int] = {
    "bool": 1,
    **{f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": bits // 8 for bits in (16, 32, 64)},
}


@frozen
class InputSpec:
    """One input of a model.

    :param name: Its name.
    :param dtype: As NumPy names it, such as ``"int64"``.
    :param shape: Sizes; a text is the name of a size that may be any, such as ``"batch"``.
    :param kind: Which values make sense: ``"any"``, ``"mask"`` (ones, then zeros to the end of the last dimension), or
        ``"ones"``.
    :param low: The least whole number that makes sense.
    :param high: One more than the greatest that does, such as the size of a vocabulary.
    :param sizes: The values that sizes with a name may have, by name; any others may not.
    """

    name: str
    dtype: str
    shape: Sequence[int | str]
    kind: str = "any"
    low: int = 0
    high: int = 2
    sizes: Mapping[str, Sequence[int]] = field(factory=dict)


@frozen(eq=False)
class Array:
    """Values for an input. ``numpy.asarray(array)`` makes an array of them without copying.

    :param dtype: As NumPy names it.
    :param shape: Sizes.
    :param data: The bytes of all elements, little-endian, the last dimension running fastest.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def __attrs_post_init__(self) -> None:
        if self.dtype not in ITEM_BYTES:
            raise ValueError(f"values of type {self.dtype!r} cannot be kept; give one of {', '.join(ITEM_BYTES)}")
        if len(self.data) != math.prod(self.shape) * ITEM_BYTES[self.dtype]:
            raise ValueError(f"{len(self.data)} bytes are no values of type {self.dtype} in the shape {self.shape}")

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """See https://numpy.org/doc/stable/reference/arrays.interface.html"""
        letter = {"b": "b", "i": "i", "u": "u", "f": "f"}[self.dtype[0]]
        size = ITEM_BYTES[self.dtype]
        order = "|" if size == 1 else "<"
        return {"version": 3, "shape": self.shape, "typestr": f"{order}{letter}{size}", "data": self.data}


#: Values for every input of a model, by name.
Inputs = Mapping[str, Array]


@frozen
class Runner:
    """A model that can be run, to compare what it computes.

    :param run: Takes values for every input, and gives the outputs by name, in their order: arrays of NumPy.
    :param precision: The least precise type that it computes in, such as ``"bfloat16"``; outputs of NumPy tell it
        themselves where NumPy has that type.
    """

    run: Callable[[Inputs], Mapping[str, Any]]
    precision: str = "float32"
