"""Types and tensors in words: ``float32[batch, 64]``, and the values of tensors that have few."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from model_registry_onnx.dtypes import dtype_name
from model_registry_onnx.headers import Header, read_header, text
from model_registry_onnx.nodes import checksum, members, number_in
from model_registry_onnx.wire import BYTES, Field, fields, varints

#: Finds the bytes of a tensor that lie in another file, if they do.
Elsewhere = Callable[[Header], "memoryview | None"]

#: Tensors of more values are told by a checksum.
_FEW = 8
#: Sequences of sequences of …
_DEEPEST = 8
_LONGEST_NAME = 200
_LONGEST = 80
_FORMATS = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "?", 10: "e", 11: "d", 12: "I", 13: "Q"}
_INT32_DATA, _INT64_DATA, _UINT64_DATA = 5, 7, 11


def named(name: str) -> str:
    """A name in one line; – for the place of one that was left out."""
    plain = name if name.isprintable() else repr(name)[1:-1]
    return shortened(plain, _LONGEST_NAME) or "–"


def shortened(said: str, longest: int = _LONGEST) -> str:
    """A text, or its start and a checksum."""
    if len(said) <= longest:
        return said
    return f"{said[:longest]}… ({len(said):,} characters, {checksum(memoryview(said.encode()))})"


def tensor_text(header: Header, elsewhere: Elsewhere) -> str:
    """A tensor with its values; of one that has many, with their checksum."""
    values = _values(header)
    if values is not None:
        return f"{shape_text(header)} {values}"
    return f"{shape_text(header)} #{_checksum(header, elsewhere)}"


def weight_text(header: Header) -> str:
    """A weight: the values of whole numbers, which are shapes and axes. Others are told apart as tensors."""
    values = _values(header) if dtype_name(header.dtype) in ("int64", "int32") else None
    return shape_text(header) if values is None else f"{shape_text(header)} {values}"


def shape_text(header: Header) -> str:
    """Type and sizes."""
    return shortened(f"{dtype_name(header.dtype)}[{', '.join(map(str, header.dims))}]")


def type_text(data: memoryview, depth: int = 0) -> str:
    """A type, such as ``float32[batch, 4]`` or ``seq(int64[])``; empty if the file says none."""
    if depth > _DEEPEST:
        return "…"
    for item in fields(data):
        if item.wire == BYTES and item.number in _KINDS:
            return shortened(_KINDS[item.number](data[item.start : item.end], depth + 1))
    return ""


def sparse_text(data: memoryview, elsewhere: Elsewhere) -> str:
    """A sparse tensor: its values, and where they are."""
    parts = [tensor_text(read_header(part), elsewhere) for number in (1, 2) for part in members(data, number)]
    sizes = [str(number_in(item)) for item in fields(data) if item.number == 3 and item.wire != BYTES]
    return shortened(f"sparse[{', '.join(sizes[:_LONGEST])}]({' at '.join(parts[:2])})", 2 * _LONGEST)


def float_text(content: memoryview, kind: str) -> str:
    """A number in as few digits as tell it apart: 0.1, though 32 bits make it 0.10000000149."""
    (value,) = struct.unpack(f"<{kind}", content)
    shown = repr(value)
    for digits in range(3, 9) if kind in "ef" else ():
        fewer = f"{value:.{digits}g}"
        if float(fewer) == value or _packed(fewer, kind) == bytes(content):
            shown = fewer
            break
    return f"{shown}.0" if shown.lstrip("-").isdigit() else shown


def _packed(shown: str, kind: str) -> bytes:
    try:
        return struct.pack(f"<{kind}", float(shown))
    except OverflowError:  # rounded up, beyond the greatest
        return b""


def _of_tensor(data: memoryview, depth: int) -> str:
    dtype, sizes = 0, None
    for item in fields(data):
        if item.number == 1:
            dtype = item.value
        elif item.number == 2 and item.wire == BYTES:
            sizes = [_size(dim) for dim in members(data[item.start : item.end], 1)]
    return dtype_name(dtype) if sizes is None else f"{dtype_name(dtype)}[{', '.join(sizes)}]"


def _size(data: memoryview) -> str:
    for item in fields(data):
        if item.number == 1:
            return str(number_in(item))
        if item.number == 2 and item.wire == BYTES:
            return named(text(data[item.start : item.end]) or "?")
    return "?"


def _of_map(data: memoryview, depth: int) -> str:
    keys = [dtype_name(item.value) for item in fields(data) if item.number == 1]
    return f"map({', '.join([*keys[:1], *_inner(data, 2, depth)])})"


def _inner(data: memoryview, number: int, depth: int) -> list[str]:
    return [type_text(part, depth) for part in members(data, number)][:1]


_KINDS: dict[int, Callable[[memoryview, int], str]] = {
    1: _of_tensor,
    4: lambda data, depth: f"seq({', '.join(_inner(data, 1, depth))})",
    5: _of_map,
    8: lambda data, depth: f"sparse {_of_tensor(data, depth)}",
    9: lambda data, depth: f"optional({', '.join(_inner(data, 1, depth))})",
}


def _values(header: Header) -> str | None:
    """The values of a tensor that has few, and has them here."""
    kind = _FORMATS.get(header.dtype)
    if kind is None or header.elements > _FEW or header.external:
        return None
    values = _typed(header, kind) if header.raw is None else _raw(header, header.raw, kind)
    if values is None or len(values) != header.elements:
        return None
    return values[0] if not header.dims else f"[{', '.join(values)}]"


def _raw(header: Header, raw: Field, kind: str) -> list[str] | None:
    content, size = header.data[raw.start : raw.end], struct.calcsize(kind)
    if len(content) != size * header.elements:
        return None
    parts = (content[start : start + size] for start in range(0, len(content), size))
    return [_value(part, kind) for part in parts]


def _value(content: memoryview, kind: str) -> str:
    return float_text(content, kind) if kind in "efd" else str(struct.unpack(f"<{kind}", content)[0])


def _typed(header: Header, kind: str) -> list[str] | None:
    """Values that stand one by one, at most as many as there may be."""
    found: list[str] = []
    for item in header.typed:
        content = header.data[item.start : item.end]
        if len(content) > 10 * _FEW or len(found) > _FEW:
            return None
        if kind in "fd":
            size = struct.calcsize(kind)
            found += [float_text(part, kind) for part in _pieces(content, size) if len(part) == size]
        elif item.number in (_INT32_DATA, _INT64_DATA, _UINT64_DATA) and kind != "e":
            found += map(_whole(kind), varints(content) if item.wire == BYTES else [item.value])
    return found


def _whole(kind: str) -> Callable[[int], str]:
    if kind == "?":
        return lambda value: str(bool(value))
    return lambda value: str(value if kind == "Q" or value < 1 << 63 else value - (1 << 64))


def _pieces(content: memoryview, size: int) -> Iterable[memoryview]:
    return (content[start : start + size] for start in range(0, len(content), size))


def _checksum(header: Header, elsewhere: Elsewhere) -> str:
    """Of its bytes, wherever they lie."""
    if header.raw is not None:
        return checksum(header.data[header.raw.start : header.raw.end])
    found = elsewhere(header)
    return checksum(header.data if found is None else found)
