"""The plugin: hook implementations, each delegating to a file of its own name or purpose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from model_registry import (
    Conversion,
    Detection,
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
from model_registry_onnx.formats import CONVERSIONS, FORMATS, ONNX, ORT
from model_registry_onnx.options import OnnxOptions


class Plugin:
    """ONNX for ``model_registry``. Code that needs onnx or onnxruntime is imported when a hook needs it."""

    Options = OnnxOptions

    def __init__(self, options: OnnxOptions) -> None:
        self._options = options

    @hookimpl
    def formats(self) -> Iterable[FormatSpec]:
        return FORMATS

    @hookimpl
    def conversions(self) -> Iterable[Conversion]:
        return CONVERSIONS

    @hookimpl
    def detect(self, model: Any) -> Detection | None:
        from model_registry_onnx.detect import detect_model

        return detect_model(model)

    @hookimpl
    def save(self, request: SaveRequest, stage: Stage) -> bool | None:
        from model_registry_onnx import save

        if request.format == ONNX:
            save.save_onnx(request, stage, self._options)
            return True
        if request.format == ORT:
            save.save_ort(request, stage)
            return True
        return None

    @hookimpl
    def metadata(self, format: str, files: VersionFiles) -> Mapping[str, Any] | None:
        from model_registry_onnx import describe

        if format == ONNX:
            return describe.describe_onnx(files)
        return describe.describe_ort() if format == ORT else None

    @hookimpl
    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
        from model_registry_onnx import load

        if request.format == ONNX:
            return load.load_onnx(request, files)
        return load.load_ort(request, files) if request.format == ORT else None

    @hookimpl
    def export(self, request: ExportRequest, files: VersionFiles) -> bool | None:
        from model_registry_onnx import export

        writers = {(ONNX, ONNX): export.export_onnx, (ONNX, ORT): export.export_ort}
        writer = writers.get((request.source_format, request.target_format))
        if writer is None:
            return None
        writer(request, files)
        return True

    @hookimpl
    def signature(self, request: LoadRequest, files: VersionFiles) -> list[InputSpec] | None:
        from model_registry_onnx.signature import read_signature

        return read_signature(request, files) if request.format in (ONNX, ORT) else None

    @hookimpl
    def runner(self, request: LoadRequest, files: VersionFiles) -> Runner | None:
        from model_registry_onnx.signature import make_runner

        return make_runner(request, files) if request.format in (ONNX, ORT) else None

    @hookimpl
    def validate(self, format: str, files: VersionFiles) -> Iterable[Finding] | None:
        from model_registry_onnx import checks

        if format == ONNX:
            return list(checks.check_onnx(files))
        return list(checks.check_ort(files)) if format == ORT else None

    @hookimpl
    def tensors(self, format: str, files: VersionFiles) -> Iterable[TensorRecord] | None:
        from model_registry_onnx.inventory import list_tensors

        return list_tensors(files) if format == ONNX else None

    @hookimpl
    def modules(self, format: str, files: VersionFiles) -> Mapping[str, str] | None:
        from model_registry_onnx.modules import describe_modules

        return describe_modules(files) if format == ONNX else None

    @hookimpl
    def packages(self, format: str) -> Iterable[str] | None:
        return ("onnx", "onnxruntime") if format in (ONNX, ORT) else None
