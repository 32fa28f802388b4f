"""Saying whether a model is ours, by its content, and without importing torch for those who have not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from model_registry import Detection
from model_registry_pytorch.formats import PYTORCH, TORCHSCRIPT
from model_registry_pytorch.layout import RECORD
from model_registry_pytorch.sniff import Kind, sniff

RANK = 10  # a library that builds on torch, and knows its models better, claims more
SUFFIXES = (".pt", ".pth")
_STARTS_RECORD = b'{"kind":"'

_FORMATS = {
    Kind.TORCH_ZIP: PYTORCH,
    Kind.TORCH_LEGACY: PYTORCH,
    Kind.SAFETENSORS: PYTORCH,
    Kind.TORCHSCRIPT: TORCHSCRIPT,
}


def detect_model(model: Any) -> Detection | None:
    """A claim, or None. A module in a dictionary of tensors is no claim; nothing is unpickled."""
    found = _detect_path(model) if isinstance(model, Path) else _detect_object(model)
    return None if found is None else Detection(found, RANK)


def _detect_path(path: Path) -> str | None:
    if path.is_file():
        kind = sniff(path)
        if kind is Kind.DAMAGED_ZIP and path.suffix in SUFFIXES:
            return PYTORCH  # to be told what is wrong with it
        return _FORMATS.get(kind)
    return PYTORCH if _is_record(path / RECORD) else None


def _is_record(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_STARTS_RECORD)) == _STARTS_RECORD


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
