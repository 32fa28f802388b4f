"""Every weight of a version, from the files alone: onnx is not imported."""

from __future__ import annotations

from collections.abc import Iterator

from model_registry import TensorRecord, UnsafeModelError, VersionFiles
from model_registry_onnx.dtypes import DTYPES, nbytes
from model_registry_onnx.headers import external_place, read_header
from model_registry_onnx.layout import model_files
from model_registry_onnx.wire import BYTES, fields, mapped

_GRAPH, _INITIALIZER = 7, 5


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
    header = read_header(data)
    needed = nbytes(header.dtype, header.elements)
    raw = header.raw
    place = None if raw is None else (member, base + raw.start, raw.end - raw.start)
    if header.external:
        place = external_place(header, member, needed)
    if place is None or needed is None or place[0] not in files or place[2] != needed:
        return None
    if place[1] + needed > files.size(place[0]):
        raise UnsafeModelError(f"the tensor {header.name!r:.100} reaches beyond {place[0]}", path=member)
    return TensorRecord(prefix + header.name, DTYPES[header.dtype][0], header.dims, place[0], place[1], needed)
