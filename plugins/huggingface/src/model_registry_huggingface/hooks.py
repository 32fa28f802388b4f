"""The plugin: hook implementations, each delegating to a file of its own name or purpose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from model_registry import (
    Conversion,
    Detection,
    Download,
    ExportRequest,
    Finding,
    FormatSpec,
    InputSpec,
    LoadedModel,
    LoadRequest,
    Runner,
    SaveRequest,
    Stage,
    TensorRecord,
    VersionFiles,
    hookimpl,
)
from model_registry_huggingface.formats import CONVERSIONS, FORMATS, HUGGINGFACE, ONNX


class Plugin:
    """transformers for ``model_registry``. Code that needs it is imported when a hook needs it."""

    @hookimpl
    def formats(self) -> Iterable[FormatSpec]:
        return FORMATS

    @hookimpl
    def conversions(self) -> Iterable[Conversion]:
        return CONVERSIONS

    @hookimpl
    def detect(self, model: Any) -> Detection | None:
        from model_registry_huggingface.detect import detect_model

        return detect_model(model)

    @hookimpl
    def download(self, repo_id: str, revision: str | None) -> Download | None:
        from model_registry_huggingface.hub import download

        return download(repo_id, revision)

    @hookimpl
    def save(self, request: SaveRequest, stage: Stage) -> bool | None:
        if request.format != HUGGINGFACE:
            return None
        from model_registry_huggingface.save import save_huggingface

        save_huggingface(request, stage)
        return True

    @hookimpl
    def metadata(self, format: str, files: VersionFiles) -> Mapping[str, Any] | None:
        from model_registry_huggingface.describe import describe_huggingface

        return describe_huggingface(files) if format == HUGGINGFACE else None

    @hookimpl
    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
        if request.format != HUGGINGFACE:
            return None
        from model_registry_huggingface.load import load_huggingface

        return load_huggingface(request, files)

    @hookimpl
    def export(self, request: ExportRequest, files: VersionFiles) -> bool | None:
        if (request.source_format, request.target_format) != (HUGGINGFACE, ONNX):
            return None
        from model_registry_huggingface.export import export_onnx

        export_onnx(request, files)
        return True

    @hookimpl
    def signature(self, request: LoadRequest, files: VersionFiles) -> list[InputSpec] | None:
        if request.format != HUGGINGFACE:
            return None
        from model_registry_huggingface.running import read_signature

        return read_signature(files)

    @hookimpl
    def runner(self, request: LoadRequest, files: VersionFiles) -> Runner | None:
        if request.format != HUGGINGFACE:
            return None
        from model_registry_huggingface.running import make_runner

        return make_runner(files)

    @hookimpl
    def validate(self, format: str, files: VersionFiles) -> Iterable[Finding] | None:
        from model_registry_huggingface.checks import check_huggingface

        return list(check_huggingface(files)) if format == HUGGINGFACE else None

    @hookimpl
    def tensors(self, format: str, files: VersionFiles) -> Iterable[TensorRecord] | None:
        from model_registry_huggingface.inventory import list_tensors

        return list_tensors(files) if format == HUGGINGFACE else None

    @hookimpl
    def packages(self, format: str) -> Iterable[str] | None:
        return ("transformers", "torch", "tokenizers", "safetensors", "peft") if format == HUGGINGFACE else None
