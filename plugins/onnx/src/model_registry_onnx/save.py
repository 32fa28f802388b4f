"""Storing a model: a file with all it refers to, a folder, bytes, or a ``ModelProto``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from model_registry import Content, Kind, SaveRequest, Stage, UnsafeModelError, UnsupportedModelError, content_of
from model_registry_onnx.external import external_tensors, place_of
from model_registry_onnx.layout import MODEL, ORT_MODEL, SUFFIX
from model_registry_onnx.memory import add_model
from model_registry_onnx.options import OnnxOptions
from model_registry_onnx.paths import without_paths
from model_registry_onnx.protos import read_whole
from model_registry_onnx.skeleton import parse, read_skeleton

_HINT = "give an onnx.ModelProto, the path of a .onnx file or of a folder with one, or the bytes of a file"


def save_onnx(request: SaveRequest, stage: Stage, options: OnnxOptions) -> None:
    """Write the model into ``stage``; files and bytes as they are, unless paths are to be taken out.

    :raises UnsupportedModelError: for what is no ONNX model.
    :raises UnsafeModelError: for a file that refers to others outside its folder.
    """
    model = request.model
    strip = bool(request.options.get("strip_paths", options.strip_paths))
    if isinstance(model, Path) and model.is_dir():
        _add_folder(model, stage, strip)
    elif isinstance(model, Path):
        _require(content_of(model), Kind.ONNX, model.name)
        _add_file(model, MODEL, stage, strip)
    elif isinstance(model, bytes):
        _require(content_of(model), Kind.ONNX, "what was given")
        parsed = parse(model, MODEL)
        if strip:
            add_model(without_paths(parsed), stage)
        else:
            stage.add(MODEL, model, kind="weight")
    else:
        _add_object(model, stage, strip)


def save_ort(request: SaveRequest, stage: Stage) -> None:
    """Store a file of ONNX Runtime's own format.

    :raises UnsupportedModelError: for anything else.
    """
    if not isinstance(request.model, (Path, bytes)):
        raise UnsupportedModelError("a model in ONNX Runtime's own format is a file", hint="give its path")
    name = request.model.name if isinstance(request.model, Path) else "what was given"
    _require(content_of(request.model), Kind.ORT, name)
    stage.add(ORT_MODEL, request.model, kind="weight")


def _require(content: Content, kind: Kind, name: str) -> None:
    if content.kind is not kind:
        raise UnsupportedModelError(f"{name} is {content.kind.title}, not {kind.title}", hint=_HINT)
    if content.problem:
        raise UnsafeModelError(f"{name} is {kind.title}, but {content.problem}", hint="get it again from its source")


def _add_object(model: Any, stage: Stage, strip: bool) -> None:
    import onnx

    if not isinstance(model, onnx.ModelProto):
        what = f"a {type(model).__module__}.{type(model).__qualname__}"
        raise UnsupportedModelError(f"{what} is no ONNX model", hint=_HINT)
    for tensor in external_tensors(model):
        raise UnsupportedModelError(
            f"the tensor {tensor.name!r:.100} has its bytes in the file {place_of(tensor).path!r:.100}, not in memory",
            hint="give the path of the .onnx file, or load the model with its external data",
        )
    add_model(without_paths(model) if strip else model, stage)


def _add_file(path: Path, member: str, stage: Stage, strip: bool) -> None:
    """A model, and every file that its tensors lie in."""
    if strip:
        add_model(without_paths(read_whole(path)), stage)
        return
    stage.add(member, path.resolve(), kind="weight")  # a link that the user names is the user's word
    for location in _locations(path):
        stage.add(location, _plain_file(path.parent, location), kind="weight")


def _locations(path: Path) -> list[str]:
    """The files that the model's tensors lie in, beside its own."""
    own = ".itself"  # what no model says: its own large tensors are told apart by it
    found = {place_of(tensor).path for tensor in external_tensors(read_skeleton(path, own))} - {own}
    if MODEL in found:
        raise UnsupportedModelError(
            f"tensors of {path.name} lie in a file {MODEL!r}, and the model itself is stored under that name",
            hint="save it again with another name for its external data",
        )
    return sorted(found)


def _plain_file(folder: Path, location: str) -> Path:
    """:raises UnsafeModelError: if there is no such file below the folder, or a link on the way to it."""
    place = folder
    for part in PurePosixPath(location).parts:
        place = place / part
        if place.is_symlink():
            hint = "copy there what it points to"
            raise UnsafeModelError(
                f"{location!r}, which holds tensors of the model, is a link", hint=hint, path=location
            )
    if not place.is_file():
        raise UnsafeModelError(
            f"the model's tensors lie in {location!r}, and there is no such file beside it",
            hint="put the file there; a model with external data is more than its .onnx file",
            path=str(place),
        )
    return place


def _add_folder(folder: Path, stage: Stage, strip: bool) -> None:
    """All files of a folder: models, what their tensors lie in, and what stands beside them, such as a tokenizer."""
    names = sorted(item.relative_to(folder).as_posix() for item in folder.rglob("*") if not item.is_dir())
    if not any(name.endswith(SUFFIX) for name in names):
        raise UnsupportedModelError(f"the folder {folder} has no file that ends in .onnx", hint=_HINT, path=str(folder))
    if strip:
        raise UnsupportedModelError("strip_paths is for one file or model, not for a folder", hint="register its files")
    for name in names:
        if (folder / name).is_symlink():
            raise UnsafeModelError(f"{name} in {folder} is a link", hint="copy the file itself there", path=name)
        stage.add(name, folder / name, kind="weight" if name.endswith(SUFFIX) else "")
