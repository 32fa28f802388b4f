"""The specification's own snippets, as far as they need no framework."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import Installer

from model_registry import (
    CompressionType,
    ModelFormat,
    ModelLoader,
    ModelRegistry,
    ModelType,
    register_huggingface_model,
    register_onnx_model,
    register_pytorch_model,
)
from model_registry.config import Settings


class CustomLoader(ModelLoader):
    def load(self, model_path: str, **kwargs: Any) -> Any:
        return Path(model_path).read_text()

    def save(self, model: Any, model_path: str, **kwargs: Any) -> None:
        Path(model_path).write_text(model.text)

    def get_metadata(self, model: Any, model_path: str | None = None) -> dict[str, str]:
        return {"framework": "custom"}

    def supported_formats(self) -> list[str]:
        return [ModelFormat.CUSTOM]


class Model:
    def __init__(self, text: str = "weights") -> None:
        self.text = text


@pytest.fixture
def custom(alone: Path) -> ModelRegistry:
    registry = ModelRegistry("./models")
    registry.loaders[ModelFormat.CUSTOM] = CustomLoader()
    return registry


def test_custom_loader(custom: ModelRegistry) -> None:
    entry = custom.register_model("m", Model(), ModelFormat.CUSTOM, note="kept")
    assert (entry.metadata.framework, entry.metadata.extra["note"]) == ("custom", "kept")
    loaded_model, tokenizer = custom.load_model("m", "1.0.0")
    assert (loaded_model, tokenizer) == ("weights", None)


def test_environment_and_configuration(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "MODEL_REGISTRY_PATH", str(alone / "elsewhere"))
    monkeypatch.setitem(os.environ, "MODEL_REGISTRY_CACHE_SIZE", "1000")
    assert ModelRegistry().settings.path == alone / "elsewhere"
    registry_config = {
        "default_format": ModelFormat.PYTORCH,
        "auto_validate": True,
        "compression_threshold": 100,  # MB
        "backup_enabled": True,
    }
    settings: Settings = ModelRegistry(registry_path="./models", **registry_config).settings
    assert (settings.path, settings.default_format, settings.cache_size) == (Path("models"), "pytorch", 1000)
    assert (settings.auto_validate, settings.compression_threshold, settings.backup_enabled) == (True, 100, True)


def test_version_management(custom: ModelRegistry) -> None:
    versions = [("1.0.0", 0.95), ("1.10.0", 0.99), ("1.9.0", 0.97)]
    for version, accuracy in versions:
        metrics = {"accuracy": accuracy}
        custom.register_model(
            "my_model", Model(version), ModelFormat.CUSTOM, version=version, performance_metrics=metrics
        )
    mine = [m for m in custom.list_models() if m.metadata.name == "my_model"]
    assert [m.metadata.performance_metrics.get("accuracy", "N/A") for m in mine] == [0.95, 0.97, 0.99]
    latest_model, _ = custom.load_model("my_model", "latest")
    assert latest_model == "1.10.0"


def test_batches(custom: ModelRegistry) -> None:
    custom.register_model("a", Model(), ModelFormat.CUSTOM, model_type=ModelType.CLASSIFICATION)
    custom.register_model("b", Model("b"), ModelFormat.CUSTOM)
    assert [m.name for m in custom.list_models(ModelType.CLASSIFICATION)] == ["a"]
    validation_result = custom.validate_registry()
    assert {"total_models": 2, "valid_models": 2, "errors": [], "warnings": []}.items() <= validation_result.items()
    with custom.temporary_model("a") as (model, tokenizer):
        assert (model, tokenizer) == ("weights", None)


def test_detailed_metadata_and_integrity(custom: ModelRegistry) -> None:
    said = {
        "compression_type": CompressionType.QUANTIZATION_INT8,
        "compression_ratio": 0.25,
        "dependencies": ["torch>=2.0"],
        "license": "MIT",
    }
    custom.register_model("production_model", Model(), ModelFormat.CUSTOM, **said)
    entry = custom.get_model_info("production_model")
    assert entry is not None
    assert {name: getattr(entry.metadata, name) for name in said} == said
    assert entry.verify_integrity()
    assert entry.calculate_checksum() == entry.digest
    assert custom.get_model_info("other") is None


def test_error_handling(custom: ModelRegistry) -> None:
    custom.register_model("m", Model(), ModelFormat.CUSTOM, version="1.0.0")
    with pytest.raises(ValueError, match="registered already"):
        custom.register_model("m", Model(), ModelFormat.CUSTOM, version="1.0.0")
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        custom.register_model("m", "./missing.pth", ModelFormat.CUSTOM)
    with pytest.raises(ValueError, match="there is no model 'n'"):
        custom.load_model("n")
    with pytest.raises(ValueError, match=r"has no version '2\.0' — it has 1\.0\.0"):
        custom.load_model("m", "2.0")
    with pytest.raises(ImportError, match="model-registry-onnx"):
        custom.register_model("m", Model(), ModelFormat.ONNX)
    entry = custom.get_model_info("m")
    assert entry is not None
    Path("models/blobs/sha256", entry.files[0].sha256).unlink()
    with pytest.raises(RuntimeError, match="is missing on disk"):
        custom.load_model("m")


def test_monitoring(custom: ModelRegistry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "model_registry"):
        custom.register_model("m", Model(), ModelFormat.CUSTOM)
        custom.load_model("m")
    assert [record.message.split(" (")[0] for record in caplog.records] == ["registered m:1.0.0", "loaded m:1.0.0"]
    detailed = custom.get_detailed_stats()
    assert (detailed["models"], detailed["versions"], detailed["logical_bytes"]) == (1, 1, 7)
    assert detailed["by_format"] == {"custom": 1}


def test_removing_and_exporting(custom: ModelRegistry) -> None:
    custom.register_model("m", Model(), ModelFormat.CUSTOM)
    assert Path(custom.export_model("m", "1.0.0", "./out")).joinpath("saved-by-loader").read_text() == "weights"
    assert (custom.remove_model("m"), custom.remove_model("m")) == (True, False)
    assert [entry.reference for entry in custom.restore_model("m")] == ["m:1.0.0"]


@pytest.mark.parametrize(
    ("register", "format"),
    [(register_pytorch_model, "pytorch"), (register_onnx_model, "onnx"), (register_huggingface_model, "huggingface")],
)
def test_convenience_functions(install: Installer, register: Any, format: str) -> None:
    install(
        "any",
        f"""
        from model_registry import FormatSpec, hookimpl

        class Plugin:
            @hookimpl
            def formats(self):
                return [FormatSpec({format!r}, "x", save_options=frozenset({{"tokenizer"}}))]

            @hookimpl
            def save(self, request, stage):
                stage.add("x", request.model)
                return True
    """,
    )
    entry = register("m", b"x", description="d")
    assert (entry.reference, entry.metadata.format, entry.metadata.description) == ("m:1.0.0", format, "d")
    assert ModelRegistry("models").get_model_info("m") == entry
