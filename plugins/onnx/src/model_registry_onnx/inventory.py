"""Every weight of a version, from the files alone: onnx is not imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from model_registry import TensorRecord, UnsafeModelError, VersionFiles
from model_registry_onnx.dtypes import DTYPES, nbytes
from model_registry_onnx.layout import model_files
from model_registry_onnx.wire import BYTES, VARINT, fields, mapped, varints

_GRAPH, _INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA, _EXTERNAL_DATA = 1, 2, 8, 9, 13


def list_tensors(files: VersionFiles) -> list[TensorRecord]:
    """The initializers whose bytes lie somewhere as they are: as raw data, or in a file. Others are small in practice.

    Of several models, the names begin with the model's: ``encoder/weight``.

    :raises UnsafeModelError: if a file is not sound.
    """
    models = model_files(files)
    prefixes = {name: f"{name}/" if len(models) > 1 else "" for name in models}
    return [tensor for name, member in models.items() for tensor in _tensors(files, member, prefixes[name])]


def _tensors(files: VersionFiles, member: str, prefix: str) -> Iterator[TensorRecord]:
    whole = mapped(files.local(member), member)
    for graph in fields(whole):
        if graph.number == _GRAPH and graph.wire == BYTES:
            for item in fields(whole[graph.start : graph.end]):
                if item.number == _INITIALIZER and item.wire == BYTES:
                    start, end = graph.start + item.start, graph.start + item.end
                    tensor = _tensor(files, member, prefix, whole[start:end], start)
                    if tensor is not None:
                        yield tensor


def _tensor(files: VersionFiles, member: str, prefix: str, data: memoryview, base: int) -> TensorRecord | None:
    dims: list[int] = []
    dtype, name, raw, external = 0, "", None, {}
    for field in fields(data):
        content = data[field.start : field.end]
        if field.number == _DIMS:
            dims += varints(content) if field.wire == BYTES else [field.value]
        elif field.number == _DATA_TYPE and field.wire == VARINT:
            dtype = field.value
        elif field.number == _NAME:
            name = _text(content)
        elif field.number == _RAW_DATA:
            raw = (member, base + field.start, field.end - field.start)
        elif field.number == _EXTERNAL_DATA:
            pair = {part.number: _text(content[part.start : part.end]) for part in fields(content)}
            external[pair.get(1, "")] = pair.get(2, "")
    elements = 1
    for size in dims:
        elements *= size
    needed = nbytes(dtype, elements)
    place = raw if not external else _external(external, member, needed)
    if place is None or needed is None or place[0] not in files or place[2] != needed:
        return None
    if place[1] + needed > files.size(place[0]):
        raise UnsafeModelError(f"the tensor {name!r:.100} reaches beyond {place[0]}", path=member)
    return TensorRecord(prefix + name, DTYPES[dtype][0], tuple(dims), place[0], place[1], needed)


def _text(data: memoryview) -> str:
    return bytes(data).decode("utf-8", "replace")


def _external(said: dict[str, str], member: str, needed: int | None) -> tuple[str, int, int] | None:
    numbers = [said.get("offset", "0"), said.get("length", str(needed))]
    if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
        return None
    path = (PurePosixPath(member).parent / said.get("location", "")).as_posix()
    return path, int(numbers[0]), int(numbers[1])
