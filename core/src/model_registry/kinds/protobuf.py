"""ONNX against any other protocol buffer, by walking over the fields of the outermost message.

The messages have no magic bytes. The numbers and wire types of the fields are those of ``onnx.proto``:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; how fields are written:
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from model_registry.kinds.bounded import Bounded
from model_registry.kinds.kind import Content, Kind

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: The longest head of a field: its tag and a length, each a varint.
_FIELD_HEAD = 20
_MOST_FIELDS = 2000
_GRAPH = 7
#: ModelProto: ir_version, producer_name, producer_version, domain, model_version, doc_string, graph, opset_import,
#: metadata_props, training_info, functions, configuration.
_MODEL = {1: _VARINT, 5: _VARINT} | dict.fromkeys((2, 3, 4, 6, _GRAPH, 8, 14, 20, 25, 26), _BYTES)
#: GraphProto: node, name, initializer, doc_string, input, output, value_info, quantization_annotation,
#: sparse_initializer, metadata_props.
_GRAPH_FIELDS = frozenset((1, 2, 5, 10, 11, 12, 13, 14, 15, 16))


class _NoProtobufError(Exception):
    pass


@frozen
class _Field:
    number: int
    wire: int
    start: int
    end: int


def content_of_protobuf(file: Bounded) -> Content | None:
    """ONNX, TensorFlow's and Apple's models, or some other protocol buffer; None if it is none."""
    fields: list[_Field] = []
    try:
        for field in _fields(file, 0, file.size):
            fields.append(field)
            if len(fields) == _MOST_FIELDS:
                break
    except _NoProtobufError:
        return None
    numbers = {field.number for field in fields}
    if all(_MODEL.get(field.number) == field.wire for field in fields) and _GRAPH in numbers:
        return _onnx(file, fields)
    if fields[-1].end > file.size:
        return None
    if _is_varint(fields, 1) and numbers == {1, 2}:
        return Content(Kind.TF_SAVED_MODEL)
    if _is_varint(fields, 1) and max(numbers) >= 200:
        return Content(Kind.CORE_ML)
    return Content(Kind.PROTOBUF)


def _is_varint(fields: list[_Field], number: int) -> bool:
    return any(field.number == number and field.wire == _VARINT for field in fields)


def _onnx(file: Bounded, fields: list[_Field]) -> Content | None:
    """The fields are ONNX's; so must be what the graph begins with."""
    graph = next(field for field in fields if field.number == _GRAPH)
    try:
        first = next(_fields(file, graph.start, min(graph.end, file.size)), None)
    except _NoProtobufError:
        return None
    if first is not None and (first.number not in _GRAPH_FIELDS or first.wire != _BYTES):
        return None
    end = max(field.end for field in fields)
    if end > file.size:
        return Content(Kind.ONNX, f"it is cut short: it should have at least {end:,} bytes, and has {file.size:,}")
    return Content(Kind.ONNX)


def _fields(file: Bounded, position: int, end: int) -> Iterator[_Field]:
    """Each field with where its content lies; the last may reach beyond the end of a file that was cut short.

    :raises _NoProtobufError: if the bytes are none.
    """
    while position < end:
        head = file.read(position, min(_FIELD_HEAD, end - position))
        tag, used = _varint(head, 0)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number <= 10_000:
            raise _NoProtobufError
        start = position + used
        if wire == _VARINT:
            _, used = _varint(head, used)
            stop = position + used
        elif wire == _BYTES:
            length, used = _varint(head, used)
            start = position + used
            stop = start + length
        elif wire in (_FIXED32, _FIXED64):
            stop = start + (4 if wire == _FIXED32 else 8)
        else:
            raise _NoProtobufError
        yield _Field(number, wire, start, stop)
        position = stop


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """(value, position after it)."""
    value = shift = 0
    for index in range(position, min(len(data), position + 10)):
        value |= (data[index] & 0x7F) << shift
        shift += 7
        if data[index] < 0x80:
            return value, index + 1
    raise _NoProtobufError
