"""External data: where a tensor's bytes lie in another file, and that they do.

``onnx.checker`` lets a length beyond the file and a negative offset pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from attrs import frozen

from model_registry import UnsafeModelError, VersionFiles
from model_registry_onnx.dtypes import nbytes
from model_registry_onnx.graphs import all_tensors

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

_EXTERNAL = 1


@frozen
class Place:
    """Where a tensor's bytes are: in which file, from which byte on, and how many; None for all that follow."""

    path: str
    offset: int
    length: int | None


def external_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """The tensors whose bytes are in files."""
    return (tensor for tensor in all_tensors(model) if tensor.data_location == _EXTERNAL)


def place_of(tensor: TensorProto) -> Place:
    """What a tensor says of its place, relative to the model's own. That it leads out of the folder is refused.

    :raises UnsafeModelError: if it says nothing that makes sense.
    """
    said = {entry.key: entry.value for entry in tensor.external_data}
    location = said.get("location", "")
    path = PurePosixPath(location)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in location or "\0" in location:
        raise _refused(tensor, f"lies in {location!r:.100}, which is no file below the model's folder")
    offset, length = (_number(tensor, said.get(key)) for key in ("offset", "length"))
    return Place(path.as_posix(), offset or 0, length)


def checked_place(tensor: TensorProto, model: str, files: VersionFiles) -> Place:
    """A tensor's place in the files of a version, which hold as many bytes there as the tensor has.

    :param model: The member that holds the model.
    :returns: With the member's full path, and the length.
    :raises UnsafeModelError: naming the tensor and what is wrong.
    """
    said = place_of(tensor)
    path = (PurePosixPath(model).parent / said.path).as_posix()
    if path not in files:
        raise _refused(tensor, f"lies in {path!r:.100}, which is no file of this version")
    size = files.size(path)
    length = size - said.offset if said.length is None else said.length
    if length < 0 or said.offset + length > size:
        reach = f"from byte {said.offset:,} to {said.offset + length:,}"
        raise _refused(tensor, f"reaches {reach} of {path!r}, which has {size:,}")
    needed = nbytes(tensor.data_type, math.prod(tensor.dims)) if min(tensor.dims, default=0) >= 0 else None
    if needed is None or length < needed or (said.length is not None and length != needed):
        raise _refused(tensor, f"has {length:,} bytes in {path!r}, and its shape and type ask for {needed}")
    return Place(path, said.offset, needed)


def check_places(skeleton: ModelProto, model: str, files: VersionFiles) -> None:
    """:raises UnsafeModelError: for the first tensor that is not where it says."""
    for tensor in external_tensors(skeleton):
        checked_place(tensor, model, files)


def _number(tensor: TensorProto, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _refused(tensor, f"says that its bytes are at {text!r:.40}, which is no number")
    return int(text)


def _refused(tensor: TensorProto, problem: str) -> UnsafeModelError:
    hint = "save the model again, with all its files"
    return UnsafeModelError(f"the tensor {tensor.name!r:.100} {problem}", hint=hint)
