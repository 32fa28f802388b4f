from __future__ import annotations

import sys
from pathlib import Path

import pytest

from model_registry import ModelRegistry

sys.path.insert(0, str(Path(__file__).parent / "helpers"))


@pytest.fixture
def registry(tmp_path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models")
