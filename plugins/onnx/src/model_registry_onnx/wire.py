"""Fields of protocol buffers, as they lie in a file: https://protobuf.dev/programming-guides/encoding/

A model file is looked at without reading its weights, which no protocol buffer library can do.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from model_registry import UnsafeModelError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
#: More than any model has of anything; a hostile file could otherwise hold a field for every two bytes.
MAX_FIELDS = 5_000_000


class Field(NamedTuple):  # a graph has hundreds of thousands, and attrs makes them more slowly
    """A field: its content lies at ``start`` to ``end``, the tag before it at ``tag``. A varint's value is told."""

    number: int
    wire: int
    tag: int
    start: int
    end: int
    value: int = 0


def mapped(path: Path, name: str) -> memoryview:
    """A file's bytes, of which those are read that are looked at. Unmapped when nobody holds a part of them any more.

    :raises UnsafeModelError: if the file is empty.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise UnsafeModelError(f"{name} is empty", hint="get the file again from its source", path=name)
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def fields(data: memoryview) -> Iterator[Field]:
    """The fields of a message, in order.

    :raises UnsafeModelError: if the bytes are no message.
    """
    position, end = 0, len(data)
    for _ in range(MAX_FIELDS):
        if position == end:
            return
        tag = position
        key, start = _varint(data, position, end)
        wire, value = key & 7, 0
        if wire == BYTES:
            length, start = _varint(data, start, end)
            stop = start + length
        elif wire == VARINT:
            value, stop = _varint(data, start, end)
        elif wire in (FIXED32, FIXED64):
            stop = start + (4 if wire == FIXED32 else 8)
        else:
            raise _malformed()
        if stop > end or key < 8:
            raise _malformed()
        yield Field(key >> 3, wire, tag, start, stop, value)
        position = stop
    raise _malformed()


def varint(value: int) -> bytes:
    """A number as it is written."""
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def written(number: int, content: bytes) -> bytes:
    """A field of bytes, as it is written."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def varints(data: memoryview) -> list[int]:
    """The numbers of a packed field."""
    numbers, position = [], 0
    while position < len(data):
        value, position = _varint(data, position, len(data))
        numbers.append(value)
    return numbers


def _varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    if position < end and (byte := data[position]) < 0x80:  # nearly all; and a graph has hundreds of thousands
        return byte, position + 1
    value = shift = 0
    for index in range(position, min(end, position + 10)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, index + 1
        shift += 7
    raise _malformed()


def _malformed() -> UnsafeModelError:
    return UnsafeModelError("the file is not written as ONNX is", hint="get it again from its source")
