"""Whether ONNX Runtime can build a session of a model: nothing is optimized, run, or read into memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry import VersionFiles
from model_registry_onnx.external import checked_place, external_tensors
from model_registry_onnx.messages import first_line

if TYPE_CHECKING:
    from onnx import ModelProto


def try_session(outline: ModelProto, member: str, files: VersionFiles) -> str:
    """Why no session can be built; empty if one can.

    The outline says where the weights lie, also those in the model's own file, so the runtime maps them from there.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_prepacking", "1")
    folder = _relocate(outline, member, files)
    if folder:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    try:
        onnxruntime.InferenceSession(outline.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class for each status of the runtime, all of them of Exception alone
        return first_line(error)
    return ""


def _relocate(outline: ModelProto, member: str, files: VersionFiles) -> str:
    """Let the tensors lie where the files of the version really are; the folder that holds them all."""
    tensors = [(tensor, checked_place(tensor, member, files)) for tensor in external_tensors(outline)]
    places = {place.path: files.local(place.path).resolve() for _, place in tensors}
    folder = os.path.commonpath({path.parent for path in places.values()}) if places else ""
    for tensor, place in tensors:
        told = {"location": str(Path(places[place.path]).relative_to(folder)), "offset": str(place.offset)}
        del tensor.external_data[:]
        for key, value in {**told, "length": str(place.length)}.items():
            tensor.external_data.add(key=key, value=value)
    return folder
