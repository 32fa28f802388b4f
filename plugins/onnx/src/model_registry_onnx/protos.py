"""Whole models in memory, weights and all."""

from __future__ import annotations

import mmap
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from model_registry import UnsafeModelError, VersionFiles
from model_registry_onnx.external import checked_place, external_tensors, place_of
from model_registry_onnx.skeleton import parse, read_skeleton

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto


def read_proto(files: VersionFiles, member: str) -> ModelProto:
    """A model of a version, with the bytes of its tensors, which are those of verified files.

    :raises UnsafeModelError: if a tensor is not where it says.
    """
    model = read_skeleton(files.local(member), PurePosixPath(member).name)
    for tensor in external_tensors(model):
        place = checked_place(tensor, member, files)
        _fill(tensor, files.local(place.path), place.offset, place.length)
    return model


def read_outline(files: VersionFiles, member: str) -> ModelProto:
    """A model of a version without the bytes of its initializers. Tensors inside nodes have theirs, for the checker.

    :raises UnsafeModelError: if a tensor is not where it says.
    """
    model = read_skeleton(files.local(member), PurePosixPath(member).name)
    initializers = list(model.graph.initializer)  # held: what protobuf hands out is one object only as long as it lives
    left = set(map(id, initializers))
    for tensor in external_tensors(model):
        place = checked_place(tensor, member, files)
        if id(tensor) not in left:
            _fill(tensor, files.local(place.path), place.offset, place.length)
    return model


def read_whole(path: Path) -> ModelProto:
    """A model from a file of the user's, with what lies in files beside it.

    :raises UnsafeModelError: if one of them is a link, or not there.
    """
    import onnx

    try:
        model = parse(path.read_bytes(), path.name)
        for tensor in external_tensors(model):
            place_of(tensor)
        onnx.load_external_data_for_model(model, str(path.parent))
    except (ValueError, OSError, RuntimeError) as error:
        if isinstance(error, UnsafeModelError):
            raise
        hint = "put all its files beside it, as plain files"
        raise UnsafeModelError(f"{path.name} cannot be read: {error}", hint=hint, path=str(path)) from error
    return model


def _fill(tensor: TensorProto, path: Path, offset: int, length: int | None) -> None:
    if length:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            tensor.raw_data = mapped[offset : offset + length]
    else:
        tensor.raw_data = b""
    tensor.ClearField("data_location")
    del tensor.external_data[:]
