"""PyTorch models for ``model_registry``: safetensors weights, a JSON record of the module tree, and no pickle."""

from __future__ import annotations

__all__ = ["OutOfDeviceMemoryError", "Plugin", "PyTorchOptions"]

from model_registry_pytorch.hooks import Plugin
from model_registry_pytorch.memory import OutOfDeviceMemoryError
from model_registry_pytorch.options import PyTorchOptions
