"""Exporting a module to ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model_registry import (
    ExportRequest,
    InputSpec,
    LoadRequest,
    UnsupportedModelError,
    VersionFiles,
    cases,
    read_example_inputs,
)
from model_registry_pytorch.onnx_graph import Graph, write_graph
from model_registry_pytorch.options import PyTorchOptions
from model_registry_pytorch.running import call, dtype_of, load_module, specs_of, tensors_from

if TYPE_CHECKING:
    import torch


def export_onnx(request: ExportRequest, files: VersionFiles, options: PyTorchOptions) -> None:
    """Write the module as one ``.onnx`` file, or as a folder with one.

    Options: ``opset``; ``dynamic_axes``, names of sizes that may be any, by input and dimension, as
    ``{"tokens": {0: "batch", 1: "sequence"}}``: those of the first dimension are any without it.

    :raises UnsupportedModelError: if the module cannot be traced, or nobody knows what it takes.
    """
    import torch

    load = LoadRequest(request.source_format, {}, request.metadata, request.code_allowed)
    model = load_module(load, files, options)
    if dtype_of(model) == torch.bfloat16:
        model = model.float()  # ONNX Runtime computes with bfloat16 on few devices
    specs = specs_of(model, load, files)
    if specs is None:
        raise UnsupportedModelError(
            "to write a graph, the module is run once, and nobody knows what it takes",
            hint="register it with example_inputs=(tensor, …), or with input_shape=[…], sizes without the batch",
        )
    axes = {spec.name: {axis: size for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in specs}
    for name, named in dict(request.options.get("dynamic_axes") or {}).items():
        axes[str(name)] = {int(axis): str(size) for axis, size in dict(named).items()}
    graph = Graph(_in_order(model, list(axes)), _to_trace(model, specs, files), axes)
    path = request.destination
    if not request.suffix:
        path.mkdir()
        path = path / "model.onnx"
    write_graph(graph, path, request.options.get("opset"))


def _to_trace(model: torch.nn.Module, specs: list[InputSpec], files: VersionFiles) -> dict[str, torch.Tensor]:
    """The stored inputs, of two examples at least: a size of 1 would be taken for a fixed one."""
    stored = read_example_inputs(files)
    if stored is None:
        return tensors_from(next(cases(specs))[1], dtype_of(model))
    given = dict(zip([spec.name for spec in specs], tensors_from(stored, dtype_of(model)).values(), strict=True))
    return {name: _twice(tensor) for name, tensor in given.items()}


def _twice(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.cat([tensor, tensor]) if tensor.dim() and tensor.shape[0] == 1 else tensor


def _in_order(model: torch.nn.Module, names: list[str]) -> torch.nn.Module:
    """A module that takes its inputs in order, and gives its outputs as a dictionary."""
    from torch import nn

    class InOrder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: torch.Tensor) -> Mapping[str, Any]:
            return call(self.model, dict(zip(names, values, strict=True)))

    return InOrder().eval()
