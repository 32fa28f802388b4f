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
from model_registry_pytorch.formats import CONVERSIONS, FORMATS, ONNX, PYTORCH, SAFETENSORS, STATE_DICT, TORCHSCRIPT
from model_registry_pytorch.options import PyTorchOptions


class Plugin:
    """PyTorch for ``model_registry``. Code that needs torch is imported when a hook needs it."""

    Options = PyTorchOptions

    def __init__(self, options: PyTorchOptions) -> None:
        self._options = options

    @hookimpl
    def formats(self) -> Iterable[FormatSpec]:
        return FORMATS

    @hookimpl
    def conversions(self) -> Iterable[Conversion]:
        return CONVERSIONS

    @hookimpl
    def detect(self, model: Any) -> Detection | None:
        from model_registry_pytorch.detect import detect_model

        return detect_model(model)

    @hookimpl
    def save(self, request: SaveRequest, stage: Stage) -> bool | None:
        if request.format == PYTORCH:
            from model_registry_pytorch.save import save_pytorch

            save_pytorch(request, stage, self._options)
            return True
        if request.format == TORCHSCRIPT:
            from model_registry_pytorch.torchscript import save_torchscript

            save_torchscript(request, stage)
            return True
        return None

    @hookimpl
    def metadata(self, format: str, files: VersionFiles) -> Mapping[str, Any] | None:
        from model_registry_pytorch import describe

        if format == PYTORCH:
            return describe.describe_pytorch(files)
        return describe.describe_torchscript(files) if format == TORCHSCRIPT else None

    @hookimpl
    def load(self, request: LoadRequest, files: VersionFiles) -> LoadedModel | None:
        if request.format == PYTORCH:
            from model_registry_pytorch.load import load_pytorch

            return load_pytorch(request, files, self._options)
        if request.format == TORCHSCRIPT:
            from model_registry_pytorch.torchscript import load_torchscript

            return load_torchscript(request, files)
        return None

    @hookimpl
    def export(self, request: ExportRequest, files: VersionFiles) -> bool | None:
        from model_registry_pytorch import export

        if (request.source_format, request.target_format) == (PYTORCH, ONNX):
            from model_registry_pytorch.onnx_export import export_onnx

            export_onnx(request, files, self._options)
            return True
        writers = {SAFETENSORS: export.export_safetensors, STATE_DICT: export.export_state_dict}
        if request.source_format != PYTORCH or request.target_format not in writers:
            return None
        writers[request.target_format](files, request.destination, self._options)
        return True

    @hookimpl
    def signature(self, request: LoadRequest, files: VersionFiles) -> list[InputSpec] | None:
        from model_registry_pytorch.running import read_signature

        return read_signature(request, files, self._options) if request.format == PYTORCH else None

    @hookimpl
    def runner(self, request: LoadRequest, files: VersionFiles) -> Runner | None:
        from model_registry_pytorch.running import make_runner

        return make_runner(request, files, self._options) if request.format == PYTORCH else None

    @hookimpl
    def validate(self, format: str, files: VersionFiles) -> Iterable[Finding] | None:
        from model_registry_pytorch import checks

        if format == PYTORCH:
            return list(checks.check_pytorch(files))
        return list(checks.check_torchscript(files)) if format == TORCHSCRIPT else None

    @hookimpl
    def tensors(self, format: str, files: VersionFiles) -> Iterable[TensorRecord] | None:
        from model_registry_pytorch.inventory import list_tensors

        return list_tensors(files) if format == PYTORCH else None

    @hookimpl
    def modules(self, format: str, files: VersionFiles) -> Mapping[str, str] | None:
        from model_registry_pytorch.tree import describe_modules

        return describe_modules(files) if format == PYTORCH else None

    @hookimpl
    def difference(self, dtype: str, a: memoryview, b: memoryview) -> tuple[float, float] | None:
        from model_registry_pytorch.difference import difference

        return difference(dtype, a, b)

    @hookimpl
    def packages(self, format: str) -> Iterable[str] | None:
        return ("torch", "numpy", "safetensors") if format in (PYTORCH, TORCHSCRIPT) else None

    @hookimpl
    def released(self) -> None:
        from model_registry_pytorch.device import empty_caches

        empty_caches()
