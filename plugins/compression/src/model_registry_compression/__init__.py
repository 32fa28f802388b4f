"""Compression for ``model_registry``: an archive of versions that costs a fraction and comes back bit for bit."""

from __future__ import annotations

__all__ = ["CompressionOptions", "Plugin"]

from model_registry_compression.hooks import Plugin
from model_registry_compression.options import CompressionOptions
