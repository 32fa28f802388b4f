"""ONNX: one graph for most models, one for the encoder and one for the decoder of a pair; tokenizer files beside."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry import ExportRequest, InputSpec, UnsupportedModelError, VersionFiles, cases
from model_registry_huggingface.alone import alone_and_quiet
from model_registry_huggingface.load import load_model, placement, require_sound
from model_registry_huggingface.onnx_graph import Graph, write_graph
from model_registry_huggingface.running import HIDDEN, cast, run_decoder, run_encoder, run_model
from model_registry_huggingface.signature import is_pair, takes

if TYPE_CHECKING:
    import torch

#: What a program needs beside the graph to prepare inputs and read outputs.
_BESIDE = ("config.json", "*token*.json", "*.jinja", "vocab.*", "merges.txt", "*.model", "*processor_config.json")


def export_onnx(request: ExportRequest, files: VersionFiles) -> None:
    """Write a file, where one is wanted, or a folder.

    Options: ``opset``.

    :raises UnsupportedModelError: if the model cannot be traced, saying why.
    """
    require_sound(files)
    files.verify()
    model = _traceable(files)
    specs = takes(type(model), model.config)
    graphs = _graphs(model, specs)
    if request.suffix and len(graphs) > 1:
        raise UnsupportedModelError(
            f"a {type(model).__name__} becomes {len(graphs)} graphs ({', '.join(graphs)})",
            hint="name a folder, without a suffix, to export to",
        )
    destination: Path = request.destination
    if not request.suffix:
        destination.mkdir()
        _copy_beside(files, destination)
    for name, graph in graphs.items():
        target = destination if request.suffix else destination / f"{name}.onnx"
        with alone_and_quiet():
            write_graph(graph, target, request.options.get("opset"))


def _traceable(files: VersionFiles) -> Any:
    """The model with plain attention and experts: what is made fast for a GPU cannot be written as a graph.

    bfloat16 becomes float32, since ONNX Runtime computes with it on few devices.
    """
    import torch

    model = load_model(files, placement({}), None)
    if model.dtype == torch.bfloat16:
        model = model.float()
    with suppress(ValueError, AttributeError, NotImplementedError):
        model.set_attn_implementation("eager")
    with suppress(ValueError, AttributeError, NotImplementedError):
        model.set_experts_implementation("batched_mm")
    return model.eval()


def _graphs(model: Any, specs: Sequence[InputSpec]) -> dict[str, Graph]:
    inputs = cast(_tensors(specs), model.dtype)
    axes = {spec.name: {axis: size for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in specs}
    if not is_pair(type(model), model.config):
        return {"model": Graph(_wrapped(model, list(inputs), lambda given: run_model(model, given)), inputs, axes)}
    read = {name: tensor for name, tensor in inputs.items() if not name.startswith("decoder_")}
    hidden = run_encoder(model, read).detach()
    axes[HIDDEN] = {0: "batch"} | ({1: "sequence"} if "input_ids" in read else {})
    masks = {name: tensor for name, tensor in read.items() if name == "attention_mask"}
    written = {"decoder_input_ids": inputs["decoder_input_ids"], **masks, HIDDEN: hidden}
    return {
        "encoder_model": Graph(
            _wrapped(model, list(read), lambda given: {HIDDEN: run_encoder(model, given)}), read, axes
        ),
        "decoder_model": Graph(
            _wrapped(model, list(written), lambda given: run_decoder(model, given, given[HIDDEN])), written, axes
        ),
    }


def _tensors(specs: Sequence[InputSpec]) -> dict[str, torch.Tensor]:
    """Values to trace with; of two examples, since a size of 1 would be taken for a fixed one."""
    import numpy
    import torch

    _, arrays = next(cases(specs))
    return {name: torch.from_numpy(numpy.array(array)) for name, array in arrays.items()}


def _wrapped(
    model: Any, names: Sequence[str], run: Callable[[Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> torch.nn.Module:
    """A module that takes its inputs in order, and gives its outputs as a dictionary."""
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: torch.Tensor) -> dict[str, torch.Tensor]:
            return run(dict(zip(names, values, strict=True)))

    return Wrapped().eval()


def _copy_beside(files: VersionFiles, folder: Path) -> None:
    for path in files:
        if "/" not in path and any(Path(path).match(pattern) for pattern in _BESIDE):
            shutil.copyfile(files.local(path), folder / path)
