"""Attributes of nodes in words, such as ``transB=1``. Those that are graphs are parts of the tree instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from model_registry_onnx.dtypes import dtype_name
from model_registry_onnx.headers import read_header, text
from model_registry_onnx.nodes import checksum, number_in
from model_registry_onnx.values import Elsewhere, float_text, named, shortened, sparse_text, tensor_text, type_text
from model_registry_onnx.wire import BYTES, FIXED32, VARINT, Field, fields

#: Values of an attribute that are looked at; all of more are told by one checksum.
_MOST_VALUES = 500
_LONGEST_STRING = 60
_NAME, _GRAPH, _GRAPHS, _TYPE, _REFERENCE = 1, 6, 11, 20, 21
_LISTS = frozenset({7, 8, 9, 10, 15, 23})
#: What is not written because it is what nothing means, by the type: a float, a whole number, a text.
_NOTHING = {1: "0.0", 2: "0", 3: "''"}

#: Attributes of the standard's operators that are types of elements.
_ELEMENTS = frozenset({"to", "dtype"})

_Reader = Callable[[memoryview, Field, Elsewhere], str]


def attribute_text(data: memoryview, elsewhere: Elsewhere, *, is_standard: bool = False) -> str | None:
    """Name and value; None for graphs.

    :param is_standard: Whether it is an operator of the standard, of which some numbers are types of elements.
    """
    name, kind, values, is_list = "", 0, [], False
    found = list(islice(fields(data), _MOST_VALUES + 1))
    for item in found[:_MOST_VALUES]:
        if item.number in (_GRAPH, _GRAPHS) and item.wire == BYTES:
            return None
        if item.number == _NAME and item.wire == BYTES:
            name = named(text(data[item.start : item.end]))
        elif item.number == _TYPE:
            kind = item.value
        elif item.number == _REFERENCE and item.wire == BYTES:
            values.append(f"${named(text(data[item.start : item.end]))}")
        elif item.number in _READERS and len(found) <= _MOST_VALUES:
            values.append(_READERS[item.number](data, item, elsewhere))
            is_list = is_list or item.number in _LISTS
    if len(found) > _MOST_VALUES:
        return f"{name}=[… {len(data):,} bytes, {checksum(data)}]"
    if not values:
        return f"{name}={_NOTHING.get(kind, '[]')}"
    if is_standard and name in _ELEMENTS and values[-1].isdigit():
        return f"{name}={dtype_name(int(values[-1]))}"
    return f"{name}={_listed(values) if is_list else values[-1]}"


def graphs_in(data: memoryview) -> Iterator[tuple[str, memoryview]]:
    """The graphs of an attribute, each with the name that it has below its node."""
    name, one, several = "", [], []
    for item in islice(fields(data), _MOST_VALUES):
        content = data[item.start : item.end]
        if item.number == _NAME and item.wire == BYTES:
            name = text(content)
        elif item.number == _GRAPH and item.wire == BYTES:
            one.append(content)
        elif item.number == _GRAPHS and item.wire == BYTES:
            several.append(content)
    yield from ((name, content) for content in one[-1:])
    yield from ((f"{name}.{number}", content) for number, content in enumerate(several))


def _listed(values: list[str]) -> str:
    return shortened(f"[{', '.join(values)}]")


def _float(data: memoryview, item: Field, elsewhere: Elsewhere) -> str:
    content = data[item.start : item.end]
    if item.wire == FIXED32:
        return float_text(content, "f")
    several = [content[start : start + 4] for start in range(0, len(content) // 4 * 4, 4)][:_MOST_VALUES]
    return ", ".join(float_text(part, "f") for part in several)


def _whole(data: memoryview, item: Field, elsewhere: Elsewhere) -> str:
    return str(number_in(item)) if item.wire == VARINT else checksum(data[item.start : item.end])


def _string(data: memoryview, item: Field, elsewhere: Elsewhere) -> str:
    content = data[item.start : item.end]
    if len(content) <= _LONGEST_STRING:
        return repr(text(content))
    return f"{text(content[:_LONGEST_STRING])!r}… ({len(content):,} bytes, {checksum(content)})"


def _tensor(data: memoryview, item: Field, elsewhere: Elsewhere) -> str:
    return tensor_text(read_header(data[item.start : item.end]), elsewhere)


def _kind(data: memoryview, item: Field, elsewhere: Elsewhere) -> str:
    return type_text(data[item.start : item.end])


def _sparse(data: memoryview, item: Field, elsewhere: Elsewhere) -> str:
    return sparse_text(data[item.start : item.end], elsewhere)


_READERS: Mapping[int, _Reader] = {
    2: _float,
    3: _whole,
    4: _string,
    5: _tensor,
    7: _float,
    8: _whole,
    9: _string,
    10: _tensor,
    14: _kind,
    15: _kind,
    22: _sparse,
    23: _sparse,
}
