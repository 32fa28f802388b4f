"""Loading: sessions ready to run, or the models themselves."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from model_registry import InvalidOptionError, LoadedModel, LoadRequest, UnsafeModelError, VersionFiles
from model_registry_onnx.external import check_places, external_tensors, place_of
from model_registry_onnx.layout import ORT_MODEL, TOKENIZER, model_files
from model_registry_onnx.messages import first_line
from model_registry_onnx.protos import read_proto
from model_registry_onnx.session import make_session
from model_registry_onnx.skeleton import read_skeleton

VIEWS = ("session", "proto")


def load_onnx(request: LoadRequest, files: VersionFiles) -> LoadedModel:
    """The session or, ``as_="proto"``, the ``ModelProto``; a dictionary of them by name if the version has several.

    With a ``tokenizer.json`` beside it, and the package ``tokenizers`` installed, also the tokenizer.
    """
    view = request.options.get("as_", "session")
    if view not in VIEWS:
        raise InvalidOptionError(f"as_ is {view!r}", hint=f"choose one of {', '.join(VIEWS)}", option="as_")
    files.verify()
    loaded = {
        name: read_proto(files, member) if view == "proto" else _session(request, files, member)
        for name, member in model_files(files).items()
    }
    return LoadedModel(next(iter(loaded.values())) if len(loaded) == 1 else loaded, _tokenizer(files))


def load_ort(request: LoadRequest, files: VersionFiles) -> LoadedModel:
    """The session of a model in ONNX Runtime's own format."""
    return LoadedModel(make_session(files.local(ORT_MODEL).read_bytes(), ORT_MODEL, request.options))


def _session(request: LoadRequest, files: VersionFiles, member: str) -> Any:
    """From a path, so that the runtime maps external data instead of reading it."""
    skeleton = read_skeleton(files.local(member), member)
    check_places(skeleton, member, files)
    is_alone = all(place_of(tensor).path == member for tensor in external_tensors(skeleton))
    path = files.local(member) if is_alone else files.directory() / member
    return make_session(str(path), member, request.options)


def _tokenizer(files: VersionFiles) -> Any:
    if TOKENIZER not in files or importlib.util.find_spec("tokenizers") is None:
        return None
    tokenizers = importlib.import_module("tokenizers")
    try:
        return tokenizers.Tokenizer.from_str(files.read(TOKENIZER).decode())
    except Exception as error:  # the library raises Exception itself
        raise UnsafeModelError(f"{TOKENIZER} cannot be read: {first_line(error)}", path=TOKENIZER) from error
