"""Saying whether a model is ours, by its content, and without importing torch for those who have not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from model_registry import Detection, Kind, content_of
from model_registry_pytorch.formats import PYTORCH, TORCHSCRIPT

RANK = 10  # a library that builds on torch, and knows its models better, claims more

_KINDS = (
    Kind.TORCH_STATE_DICT,
    Kind.TORCH_OBJECTS,
    Kind.TORCH_LEGACY,
    Kind.TORCH_TAR,
    Kind.TORCHSCRIPT,
    Kind.SAFETENSORS,
    Kind.PYTORCH_FOLDER,
)


def detect_model(model: Any) -> Detection | None:
    """A claim, or None. A module in a dictionary of tensors is no claim; nothing is unpickled."""
    found = _detect_path(model) if isinstance(model, Path) else _detect_object(model)
    return None if found is None else Detection(found, RANK)


def _detect_path(path: Path) -> str | None:
    kind = content_of(path).kind
    return kind.format if kind in _KINDS else None


def _detect_object(model: Any) -> str | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(model, torch.jit.ScriptModule):
        return TORCHSCRIPT
    if isinstance(model, torch.nn.Module):
        return PYTORCH
    return PYTORCH if isinstance(model, dict) and _holds_tensors(model, torch.Tensor) else None


def _holds_tensors(value: dict[Any, Any], tensor: type) -> bool:
    """Whether a dictionary is a state dict, or a checkpoint that has one directly in it."""
    return any(
        isinstance(item, tensor)
        or (isinstance(item, dict) and any(isinstance(inner, tensor) for inner in item.values()))
        for item in value.values()
    )
