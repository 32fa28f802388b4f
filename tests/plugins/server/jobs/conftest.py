from __future__ import annotations

import sys
from pathlib import Path

import pytest
from importlib_metadata import entry_points

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules, which are no package

from model_registry import ModelRegistry

GROUP = "model_registry.plugins"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with the model ``m``. Of all plugins only «text» is used, here and in workers."""
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", ",".join(point.name for point in entry_points(group=GROUP)))
    site = tmp_path / "site-packages"
    info = site / "fake_text-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-text\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ntext = text_plugin:Plugin\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", f"{site}:{Path(__file__).parent}")
    path = tmp_path / "models"
    ModelRegistry(path).register_model("m", b"hello " * 1000, "text")
    return path


@pytest.fixture
def registry(folder: Path) -> ModelRegistry:
    return ModelRegistry(folder)
