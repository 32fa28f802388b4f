"""Fixtures for the HuggingFace plugin: a registry in a temporary folder, and children that share the zoo of models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model_registry import ModelRegistry

HELPERS = Path(__file__).parent / "helpers"
sys.path.insert(0, str(HELPERS))


@pytest.fixture(autouse=True, scope="session")
def no_hub() -> None:
    """Whoever asks for a hub by mistake is told at once; a child that needs one says which."""
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    monkeypatch.chdir(tmp_path)  # away from any registry.toml
    return ModelRegistry(tmp_path / "models")


@pytest.fixture(scope="session")
def run_child() -> Callable[..., str]:
    """Runs a helper script in a process of its own, in a folder, and gives what it printed."""

    def run(script: str, folder: Path, *arguments: object, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, str(HELPERS / script), *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HELPERS), **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
