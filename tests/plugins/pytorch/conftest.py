"""Fixtures for the PyTorch plugin: a registry in a temporary folder, and children that share the zoo of models."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_registry import ModelRegistry

HELPERS = Path(__file__).parent / "helpers"
sys.path.insert(0, str(HELPERS))  # the zoo must be importable under the name that records hold, here and in children


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    monkeypatch.chdir(tmp_path)  # away from any registry.toml
    return ModelRegistry(tmp_path / "models")


@pytest.fixture(scope="session")
def run_child() -> Callable[..., str]:
    """Runs a helper script in a process of its own, in a folder, and gives what it printed."""

    def run(script: str, folder: Path, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, str(HELPERS / script), *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HELPERS)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def scripted() -> Any:
    """A ScriptModule. torch announces that TorchScript will go; versions that exist must stay usable."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(torch.nn.Linear(3, 2).eval())
