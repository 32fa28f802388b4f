"""Values for the inputs of a model: the same in every run, on every machine."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator, Sequence
from itertools import chain

from attrs import evolve

from model_registry.records import ITEM_BYTES, Array, Inputs, InputSpec

#: So large is each size that may be any, run by run: never only the one that a model was traced with.
_BATCHES = (2, 1, 3)
_OTHERS = (8, 5, 13)
_LETTERS = {1: "b", 2: "h", 4: "i", 8: "q"}


def cases(specs: Sequence[InputSpec]) -> Iterator[tuple[dict[str, int], Inputs]]:
    """(sizes by name, values) of each run; one run for a model all of whose sizes are fixed."""
    names = list(dict.fromkeys(size for spec in specs for size in spec.shape if isinstance(size, str)))
    limits = {name: sizes for spec in specs for name, sizes in spec.sizes.items()}
    told = set()
    for number in range(len(_BATCHES)):
        sizes = {name: _size(name, names, limits.get(name), number) for name in names}
        if tuple(sizes.items()) not in told:
            told.add(tuple(sizes.items()))
            yield sizes, {spec.name: _values(spec, sizes, seed=number) for spec in specs}


def narrowed(spec: InputSpec, examples: Sequence[Array | None]) -> InputSpec:
    """The specification with the whole numbers that examples show to make sense, where it does not know better."""
    found = [array for array in examples if array is not None and array.dtype == spec.dtype]
    if not found or spec.dtype.startswith("float") or spec.kind != "any" or (spec.low, spec.high) != (0, 2):
        return spec
    letter = _LETTERS[ITEM_BYTES[spec.dtype]]
    letter = letter.upper() if spec.dtype.startswith(("u", "b")) else letter
    numbers = [number for array in found for (number,) in struct.iter_unpack(f"<{letter}", array.data)]
    return evolve(spec, low=min(numbers), high=max(numbers) + 1) if numbers else spec


def _size(name: str, names: Sequence[str], limits: Sequence[int] | None, number: int) -> int:
    if limits:
        return limits[number % len(limits)]
    if "batch" in name.lower() or (name == names[0] and len(names) == 1):
        return _BATCHES[number]
    return _OTHERS[(number + names.index(name)) % len(_OTHERS)]  # no two the same: one must not stand for another


def _values(spec: InputSpec, sizes: dict[str, int], seed: int) -> Array:
    shape = tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
    chosen = random.Random(f"{seed} {spec.name}")  # noqa: S311  # not a secret: the same values every time
    count = math.prod(shape)
    if spec.kind == "mask":
        numbers: Sequence[float] = _mask(shape, chosen)
    elif spec.kind == "ones":
        numbers = [1] * count
    elif spec.dtype.startswith("float"):
        numbers = [chosen.gauss(0, 1) for _ in range(count)]
    else:
        numbers = [chosen.randrange(spec.low, spec.high) for _ in range(count)]
    return Array(spec.dtype, shape, _packed(spec.dtype, numbers))


def _mask(shape: tuple[int, ...], chosen: random.Random) -> list[int]:
    """Ones, then zeros: the first row whole, of the others at least the half."""
    length = shape[-1] if shape else 1
    rows = math.prod(shape[:-1])
    kept = [length if row == 0 else chosen.randint((length + 1) // 2, length) for row in range(rows)]
    return list(chain.from_iterable([1] * count + [0] * (length - count) for count in kept))


def _packed(dtype: str, numbers: Sequence[float]) -> bytes:
    size = ITEM_BYTES[dtype]
    if dtype.startswith("float"):
        return struct.pack(f"<{len(numbers)}{ {2: 'e', 4: 'f', 8: 'd'}[size] }", *numbers)
    whole = [int(number) for number in numbers]
    letter = _LETTERS[size]
    return struct.pack(f"<{len(whole)}{letter.upper() if dtype.startswith(('u', 'b')) else letter}", *whole)
