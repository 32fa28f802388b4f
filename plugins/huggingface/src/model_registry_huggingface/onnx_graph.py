"""Writing a module as an ONNX graph, by torch's own exporter.

The plugin for PyTorch has a file like this one: plugins share the core, and nothing with each other.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from model_registry import PluginLoadError, UnsupportedModelError
from model_registry_huggingface.messages import first_line

if TYPE_CHECKING:
    import torch

_NEEDED = ("onnx", "onnxscript")


@frozen
class Graph:
    """What to trace.

    :param module: Takes its inputs in order, and gives its outputs as a dictionary.
    :param inputs: Values to trace with, by name.
    :param axes: The names of sizes that may be any, by input and dimension.
    """

    module: torch.nn.Module
    inputs: Mapping[str, torch.Tensor]
    axes: Mapping[str, Mapping[int, str]]


def write_graph(graph: Graph, path: Path, opset: int | None) -> None:
    """Trace the module and write the file, without a word of the machine it was traced on.

    :raises UnsupportedModelError: if it cannot be traced, or the exporter gives another opset than the one asked for.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise PluginLoadError(
            f"exporting to ONNX needs {' and '.join(missing)}", hint="pip install model-registry-huggingface[onnx]"
        )
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it names libraries that nobody asked for
    program = _traced(graph, opset)
    model = program.model
    got = model.opset_imports.get("")
    if opset is not None and got != opset:
        raise UnsupportedModelError(
            f"torch was asked for opset {opset} and gives {got}",
            hint=f"convert to onnx without opset=, and what comes of it to opset={opset}",
        )
    _strip(model)
    program.save(str(path))


def _traced(graph: Graph, opset: int | None) -> Any:
    import torch

    names = list(graph.inputs)
    with torch.no_grad():
        outputs = list(graph.module(*graph.inputs.values()))
    shapes = tuple(dict(graph.axes.get(name, {})) for name in names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the exporter itself will change
            return torch.onnx.export(
                graph.module,
                tuple(graph.inputs.values()),
                dynamo=True,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=(shapes,),
                opset_version=opset,
                verbose=False,
            )
    except Exception as error:  # the exporter raises errors of its own, and those of what it could not trace
        raise UnsupportedModelError(
            f"torch cannot write this model as an ONNX graph: {_reason(error)}", hint="keep it in its own format"
        ) from error


def _reason(error: Exception) -> str:
    """What was wrong, without the advice to the exporter's authors around it."""
    text = str(error)
    for mark in ("## Exception summary", "\n- Received user-specified", "Caused by:"):
        _, found, rest = text.partition(mark)
        text = rest if found else text
    cause: BaseException | None = error.__cause__
    return first_line(ValueError(text)) if text.strip() else type(cause or error).__name__


def _strip(model: Any) -> None:
    """Stack traces, which name files of this machine, and notes of how a node came to be."""
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        graph.metadata_props.clear()
        for node in graph.all_nodes():
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
                value.doc_string = None
        for value in (*graph.inputs, *graph.initializers.values()):
            value.metadata_props.clear()
            value.doc_string = None
