"""Validation: the standard's checker, the places of tensors, the operators, and whether a session can be built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from model_registry import Finding, ModelRegistryError, VersionFiles
from model_registry_onnx.inference import with_inferred_shapes
from model_registry_onnx.layout import ORT_MODEL, model_files
from model_registry_onnx.operators import unknown_domains
from model_registry_onnx.protos import read_outline
from model_registry_onnx.trial import try_session

if TYPE_CHECKING:
    from onnx import ModelProto

_READ_AGAIN = "register the model again from its source"


def check_onnx(files: VersionFiles) -> Iterator[Finding]:
    """Check every model of the version."""
    try:
        members = list(model_files(files).values())
    except ModelRegistryError as error:
        yield Finding("error", "model-missing", "model.onnx", error.message, _READ_AGAIN)
        return
    for member in members:
        try:
            outline = read_outline(files, member)
            with_inferred_shapes(outline, check=True)
        except ModelRegistryError as error:
            yield Finding("error", "model-unsound", member, error.message, error.hint or _READ_AGAIN)
            continue
        yield from _check_operators(outline, member, files)


def _check_operators(outline: ModelProto, member: str, files: VersionFiles) -> Iterator[Finding]:
    foreign = unknown_domains(outline)
    if foreign:
        yield Finding(
            "warning",
            "operators-unknown",
            member,
            f"its operators of {', '.join(foreign)} are of no known library",
            "load it with session_options that register their library, if you trust that",
        )
        return
    problem = try_session(outline, member, files)
    if problem:
        advice = "a newer onnxruntime, or another runtime, may be able to"
        yield Finding("warning", "session-impossible", member, f"onnxruntime cannot build a session: {problem}", advice)


def check_ort(files: VersionFiles) -> Iterator[Finding]:
    """Check that the file is there and that a session can be built of it."""
    if ORT_MODEL not in files:
        yield Finding("error", "model-missing", ORT_MODEL, f"the version has no {ORT_MODEL}", _READ_AGAIN)
        return
    from model_registry_onnx.session import make_session

    try:
        make_session(files.local(ORT_MODEL).read_bytes(), ORT_MODEL, {})
    except ModelRegistryError as error:
        yield Finding("error", "model-unsound", ORT_MODEL, error.message, error.hint or _READ_AGAIN)
