"""Plugins: found through entry points, loaded on first need, and called through one typed method per hook."""

from model_registry.plugins.manager import Plugins

__all__ = ["Plugins"]
