"""Exports: another opset, with external data or without, and ONNX Runtime's own format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from model_registry import ExportRequest, InvalidOptionError, UnsupportedModelError, VersionFiles
from model_registry_onnx.external import external_tensors, place_of
from model_registry_onnx.layout import model_files
from model_registry_onnx.messages import first_line
from model_registry_onnx.operators import STANDARD
from model_registry_onnx.paths import strip_paths
from model_registry_onnx.protos import read_proto
from model_registry_onnx.skeleton import read_skeleton

if TYPE_CHECKING:
    from onnx import ModelProto

_MOST_IN_ONE_FILE = (2 << 30) - (1 << 20)


def export_onnx(request: ExportRequest, files: VersionFiles) -> None:
    """Write a model again: a file, or a folder with it and its external data if it has any.

    Options: ``opset`` (a version of ai.onnx), ``external_data`` (True, False; left out: only if it is needed),
    ``strip_paths``.

    :raises UnsupportedModelError: if the converter cannot give that opset.
    """
    member = _only_model(files)
    model = read_proto(files, member)
    if request.options.get("strip_paths"):
        strip_paths(model)
    opset = request.options.get("opset")
    if opset is not None:
        model = with_opset(model, opset)
    wanted = request.options.get("external_data")
    if wanted is None:
        wanted = model.ByteSize() > _MOST_IN_ONE_FILE
    _write(model, request.destination, external_data=bool(wanted))


def _only_model(files: VersionFiles) -> str:
    members = list(model_files(files).values())
    if len(members) > 1:
        raise UnsupportedModelError(
            f"the version has {len(members)} models ({', '.join(members)}), and this export is for one",
            hint="export the version as it is, and register one of its files",
        )
    return members[0]


def with_opset(model: ModelProto, opset: object) -> ModelProto:
    """The model for another opset; read back, since converters may silently give another one.

    :raises InvalidOptionError: for what is no opset.
    :raises UnsupportedModelError: if the converter cannot do it, saying why.
    """
    import onnx
    from onnx import version_converter

    newest = onnx.defs.onnx_opset_version()
    if isinstance(opset, bool) or not isinstance(opset, int) or not 1 <= opset <= newest:
        raise InvalidOptionError(f"opset is {opset!r}", hint=f"give a number from 1 to {newest}", option="opset")
    try:
        converted: ModelProto = version_converter.convert_version(model, opset)
    except Exception as error:  # the converter raises RuntimeError, and its own errors
        raise UnsupportedModelError(
            f"the model cannot be converted to opset {opset}: {first_line(error)}",
            hint="try another opset, or export it anew from where it was made",
        ) from error
    got = [item.version for item in converted.opset_import if item.domain in ("", STANDARD)]
    if got != [opset]:
        raise UnsupportedModelError(
            f"the converter was asked for opset {opset} and gave {got[0] if got else 'none'}", hint="try another opset"
        )
    return converted


def _write(model: ModelProto, destination: Path, *, external_data: bool) -> None:
    import onnx

    if external_data:
        destination.mkdir()
        onnx.convert_model_to_external_data(model, location="model.onnx.data", size_threshold=1024)
        onnx.save(model, str(destination / "model.onnx"))
        return
    if model.ByteSize() > _MOST_IN_ONE_FILE:
        raise UnsupportedModelError(
            "the model has more than the 2 GiB that one .onnx file can hold", hint="pass external_data=True"
        )
    with destination.open("xb") as file:
        file.write(model.SerializeToString(deterministic=True))


def export_ort(request: ExportRequest, files: VersionFiles) -> None:
    """Write the model in ONNX Runtime's own format, optimized as far as is right on any machine.

    :raises UnsupportedModelError: if the runtime cannot do it, saying why.
    """
    import onnxruntime

    member = _only_model(files)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(request.destination)
    options.log_severity_level = 3
    options.add_session_config_entry("session.save_model_format", "ORT")
    skeleton = read_skeleton(files.local(member), member)
    is_alone = all(place_of(tensor).path == member for tensor in external_tensors(skeleton))
    source = files.local(member) if is_alone else files.directory() / member
    try:
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class for each status of the runtime, all of them of Exception alone
        raise UnsupportedModelError(
            f"onnxruntime cannot write the model in its own format: {first_line(error)}", hint="export it as onnx"
        ) from error
