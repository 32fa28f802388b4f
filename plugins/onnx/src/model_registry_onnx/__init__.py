"""ONNX models for ``model_registry``: external data and all, checked before they are stored, loaded ready to run."""

from __future__ import annotations

__all__ = ["OnnxOptions", "Plugin"]

from model_registry_onnx.hooks import Plugin
from model_registry_onnx.options import OnnxOptions
