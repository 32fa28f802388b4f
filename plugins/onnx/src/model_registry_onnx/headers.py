"""What a tensor says of itself, as it lies in a file: onnx is not imported, and no weight is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from attrs import frozen

from model_registry import UnsafeModelError
from model_registry_onnx.wire import BYTES, VARINT, Field, fields, varints

#: More than numpy and torch have; the product of millions of sizes would take hours.
MAX_DIMENSIONS = 64
RAW_DATA = 9
_DIMS, _DATA_TYPE, _NAME, _EXTERNAL_DATA = 1, 2, 8, 13
#: Fields in which small tensors have their values, one by one: floats, texts, and whole numbers of several sizes.
_TYPED = frozenset({4, 5, 6, 7, 10, 11})


@frozen
class Header:
    """A tensor without its values.

    :param data: All of it, of which ``raw`` and ``typed`` are parts: the bytes, or values one by one.
    :param external: What it says of its place in another file.
    """

    data: memoryview
    name: str
    dtype: int
    dims: tuple[int, ...]
    raw: Field | None
    typed: tuple[Field, ...]
    external: Mapping[str, str]

    @property
    def elements(self) -> int:
        """How many values it has."""
        elements = 1
        for size in self.dims:
            elements *= size
        return elements


def read_header(data: memoryview) -> Header:
    """:raises UnsafeModelError: if the bytes are no tensor."""
    dims: list[int] = []
    typed: list[Field] = []
    dtype, name, raw, external = 0, "", None, {}
    for field in fields(data):
        number, is_bytes = field.number, field.wire == BYTES
        if number == _DIMS:
            dims += varints(data[field.start : field.end]) if is_bytes else [field.value]
            if len(dims) > MAX_DIMENSIONS:
                raise UnsafeModelError(
                    f"a tensor has more than {MAX_DIMENSIONS} dimensions", hint="get the file again from its source"
                )
        elif number == _DATA_TYPE and field.wire == VARINT:
            dtype = field.value
        elif number == _NAME:
            name = text(data[field.start : field.end])
        elif number == RAW_DATA:
            raw = field
        elif number in _TYPED:
            typed.append(field)
        elif number == _EXTERNAL_DATA:
            key, value = entry(data[field.start : field.end])
            external[key] = value
    return Header(data, name, dtype, tuple(dims), raw, tuple(typed), external)


def external_place(header: Header, member: str, needed: int | None) -> tuple[str, int, int] | None:
    """The file that a tensor says its bytes are in, their offset and number; None if it says nothing that makes sense.

    :param member: The file that the tensor itself is in.
    :param needed: How many there are, if the tensor does not say.
    """
    said = header.external
    numbers = [said.get("offset", "0"), said.get("length", str(needed))]
    if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
        return None
    path = (PurePosixPath(member).parent / said.get("location", "")).as_posix()
    return path, int(numbers[0]), int(numbers[1])


def entry(data: memoryview) -> tuple[str, str]:
    """A pair of texts, as properties and places are written."""
    pair = {part.number: text(data[part.start : part.end]) for part in fields(data)}
    return pair.get(1, ""), pair.get(2, "")


def text(data: memoryview) -> str:
    """A text, also where it is none."""
    return str(data, "utf-8", "replace")
