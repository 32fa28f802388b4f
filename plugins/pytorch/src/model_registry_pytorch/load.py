"""Loading a version of the format ``pytorch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_registry import InvalidOptionError, LoadedModel, LoadRequest, VersionFiles
from model_registry_pytorch import record as records
from model_registry_pytorch.classes import ClassResolver
from model_registry_pytorch.device import parse_device
from model_registry_pytorch.layout import RECORD
from model_registry_pytorch.memory import require_room
from model_registry_pytorch.options import PyTorchOptions
from model_registry_pytorch.program import load_program
from model_registry_pytorch.rebuild import rebuild_module, rebuild_tensors, rebuild_value
from model_registry_pytorch.statedict import stored_state
from model_registry_pytorch.weights import map_weights

if TYPE_CHECKING:
    import torch

VIEWS = ("model", "state_dict", "program")


def load_pytorch(request: LoadRequest, files: VersionFiles, options: PyTorchOptions) -> LoadedModel:
    """Make what was registered: the module, or the dictionary; or, by ``as_``, its state dict or exported program."""
    view = request.options.get("as_", "model")
    if view not in VIEWS:
        raise InvalidOptionError(f"as_ is {view!r}", hint=f"choose one of {', '.join(VIEWS)}", option="as_")
    device = parse_device(request.options.get("device"))
    if view == "program":
        return LoadedModel(load_program(request, files, device))
    files.verify()
    record = records.decode(files.read(RECORD))

    def tensors() -> dict[str, torch.Tensor]:
        stored = map_weights(files)
        size = sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
        require_room(size, str(device or "cpu"), request.options.get("max_memory"))
        return rebuild_tensors(record, stored, device)

    resolver = ClassResolver.create(options, request.options.get("trusted_classes"), request.code_allowed)
    return LoadedModel(_view(record, resolver, tensors, view))


def _view(record: records.Record, resolver: ClassResolver, tensors: Any, view: str) -> Any:
    if record.kind == "value":
        return rebuild_value(record, tensors(), resolver)
    if view == "state_dict":
        return stored_state(record, tensors())
    return rebuild_module(record, resolver, tensors)
