"""A model without its weights: what is large stays in the file, and the skeleton says where.

ONNX has a way to say that a tensor's bytes are elsewhere: external data. A skeleton says so of every large tensor
inside the file itself, so everything that looks at a model looks at both kinds of weights in one way, without reading
either, and without the 2 GiB that a protocol buffer may have at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from attrs import frozen

from model_registry import UnsafeModelError
from model_registry_onnx.texts import are_texts
from model_registry_onnx.wire import BYTES, VARINT, Field, fields, mapped, varint, written

if TYPE_CHECKING:
    from onnx import ModelProto

#: Tensors of fewer bytes stay: shapes and axes, whose values matter to whoever checks the model.
SMALL = 1024
#: Deeper than onnx and protobuf let graphs in graphs be.
_DEEPEST = 100
_MAX_SKELETON = (2 << 30) - 1

#: Which fields of a message hold which messages that may hold tensors; ``onnx.proto`` has the numbers.
_CHILDREN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14
_EXTERNAL = 1


def read_skeleton(path: Path, name: str) -> ModelProto:
    """A model, with every tensor of at least 1 KiB as external data.

    :param name: The file's own name, which its large tensors are said to lie in.
    :raises UnsafeModelError: if the file is no ONNX model.
    """
    return parse(_without_weights(mapped(path, name), _Place(name, 0, 0), "model"), name)


def parse(data: bytes, name: str) -> ModelProto:
    """:raises UnsafeModelError: if the bytes are no ONNX model."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model: ModelProto = onnx.ModelProto.FromString(data)
    except (DecodeError, ValueError) as error:
        raise _no_model(name, str(error)) from error
    if not model.HasField("graph"):
        raise _no_model(name, "it has no graph")
    if not are_texts(model):
        raise _no_model(name, "a name in it is no UTF-8")
    return model


@frozen
class _Place:
    """Where a message lies: in which file, from which byte on, and in how many others."""

    file: str
    start: int
    depth: int

    def inside(self, offset: int) -> _Place:
        return _Place(self.file, self.start + offset, self.depth + 1)


def _without_weights(data: memoryview, place: _Place, message: str) -> bytes:
    """A message written again, with its large tensors as external data."""
    if place.depth > _DEEPEST:
        raise _no_model(place.file, "its graphs are nested too deep")
    if message == "tensor":
        return _tensor(data, place)
    out, children, kept = bytearray(), _CHILDREN[message], 0
    for field in fields(data):
        child = children.get(field.number)
        if child is None or field.wire != BYTES or field.end - field.start < SMALL:
            continue
        out += data[kept : field.tag]
        part = _without_weights(data[field.start : field.end], place.inside(field.start), child)
        out += written(field.number, part)
        kept = field.end
    out += data[kept:]
    if len(out) > _MAX_SKELETON:
        raise _no_model(place.file, "it takes more than 2 GiB even without its weights")
    return bytes(out)


def _tensor(data: memoryview, place: _Place) -> bytes:
    own = list(fields(data))
    raw = [field for field in own if field.number == _RAW_DATA and field.wire == BYTES]
    is_external = any(
        field.number == _EXTERNAL_DATA or (field.number == _DATA_LOCATION and field.value) for field in own
    )
    if len(raw) != 1 or is_external or raw[0].end - raw[0].start < SMALL:
        return bytes(data)
    out = bytearray()
    for field in own:
        if field is not raw[0]:
            out += data[field.tag : field.end]
    return bytes(out) + _told(raw[0], place)


def _told(raw: Field, place: _Place) -> bytes:
    own_name = PurePosixPath(place.file).name
    entries = (("location", own_name), ("offset", str(place.start + raw.start)), ("length", str(raw.end - raw.start)))
    told = b"".join(
        written(_EXTERNAL_DATA, written(1, key.encode()) + written(2, value.encode())) for key, value in entries
    )
    return told + varint(_DATA_LOCATION << 3 | VARINT) + varint(_EXTERNAL)


def _no_model(file: str, why: str) -> UnsafeModelError:
    return UnsafeModelError(f"{file} is no ONNX model: {why}", hint="get the file again from its source", path=file)
