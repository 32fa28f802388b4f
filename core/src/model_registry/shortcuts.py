"""Registering in one call, in the registry that the configuration names."""

from __future__ import annotations

from typing import Any

from model_registry.records import ModelEntry
from model_registry.registry import ModelRegistry
from model_registry.vocabulary import ModelFormat


def register_pytorch_model(name: str, model: Any, version: str = "1.0.0", **kwargs: Any) -> ModelEntry:
    """``ModelRegistry().register_model(...)`` for a PyTorch model."""
    return ModelRegistry().register_model(name, model, ModelFormat.PYTORCH, version=version, **kwargs)


def register_onnx_model(name: str, model: Any, version: str = "1.0.0", **kwargs: Any) -> ModelEntry:
    """``ModelRegistry().register_model(...)`` for an ONNX model."""
    return ModelRegistry().register_model(name, model, ModelFormat.ONNX, version=version, **kwargs)


def register_huggingface_model(
    name: str, model: Any, tokenizer: Any = None, version: str = "1.0.0", **kwargs: Any
) -> ModelEntry:
    """``ModelRegistry().register_model(...)`` for a transformers model and its tokenizer or processor."""
    return ModelRegistry().register_model(
        name, model, ModelFormat.HUGGINGFACE, version=version, tokenizer=tokenizer, **kwargs
    )
