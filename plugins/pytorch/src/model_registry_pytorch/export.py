"""Exports: one safetensors file, or one state dict file of torch.save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry import UnsupportedModelError, VersionFiles
from model_registry_pytorch import record as records
from model_registry_pytorch.classes import ClassResolver
from model_registry_pytorch.layout import RECORD
from model_registry_pytorch.options import PyTorchOptions
from model_registry_pytorch.rebuild import rebuild_tensors, rebuild_value
from model_registry_pytorch.safetensors_file import encode_header, order
from model_registry_pytorch.statedict import stored_state
from model_registry_pytorch.tensors import entry_of, memory_of
from model_registry_pytorch.weights import map_weights

if TYPE_CHECKING:
    import torch


def export_safetensors(files: VersionFiles, destination: Path, options: PyTorchOptions) -> None:
    """Write the state dict as one safetensors file. Tied tensors are written under each of their names, so that any
    ``load_state_dict`` takes the file.

    :raises UnsupportedModelError: if the version holds values that are no tensors.
    """
    tensors = _require_tensors(_content(files, options))
    entries = {name: entry_of(tensor) for name, tensor in tensors.items()}
    names = order(entries)
    with destination.open("xb") as file:
        file.write(encode_header(entries, names))
        for name in names:
            file.write(memory_of(tensors[name]))


def export_state_dict(files: VersionFiles, destination: Path, options: PyTorchOptions) -> None:
    """Write the state dict, or the checkpoint as registered, so that ``torch.load(weights_only=True)`` reads it."""
    import torch

    with destination.open("xb") as file:  # by name, torch would write the name into the archive
        torch.save(_content(files, options), file)


def _content(files: VersionFiles, options: PyTorchOptions) -> Any:
    files.verify()
    record = records.decode(files.read(RECORD))
    tensors = rebuild_tensors(record, map_weights(files), None)
    if record.kind == "module":
        return stored_state(record, tensors)
    return rebuild_value(record, tensors, ClassResolver(options))


def _require_tensors(content: Any) -> dict[str, torch.Tensor]:
    import torch

    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise UnsupportedModelError(
                f"the checkpoint's entry {name!r} is no tensor, and a safetensors file holds nothing else",
                hint='export it with export_format="state_dict"',
            )
    tensors: dict[str, torch.Tensor] = content
    return tensors
