"""transformers models for ``model_registry``: with the head they had, weights mapped, and no code of theirs."""

from __future__ import annotations

__all__ = ["Plugin"]

from model_registry_huggingface.hooks import Plugin
