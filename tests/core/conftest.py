"""Fixtures of the core's tests. They need nothing but the core, pytest and Hypothesis."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules, which are no package

from fake_plugins import BYTES, Installer, alone, install

from model_registry import ModelRegistry

__all__ = ["alone", "install"]


@pytest.fixture
def bytes_plugin(install: Installer) -> str:
    """The plugin of the format «bytes», installed."""
    return install("bytes", BYTES)


@pytest.fixture
def registry(bytes_plugin: str) -> ModelRegistry:
    """A new registry in ``./models`` of an empty current folder, with the plugin of the format «bytes»."""
    return ModelRegistry("models")
