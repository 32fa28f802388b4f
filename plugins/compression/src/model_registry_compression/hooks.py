"""The plugin: hook implementations, each delegating to a file of its own name or purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from model_registry import (
    ColdFile,
    Compression,
    CompressionReport,
    CompressRequest,
    Encoded,
    ModelFormat,
    ModelRegistryError,
    PluginLoadError,
    VersionFiles,
    hookimpl,
)
from model_registry_compression.options import CompressionOptions


class Plugin:
    """Compression for ``model_registry``. Code that needs numpy or zstandard is imported when a hook needs it."""

    Options = CompressionOptions

    def __init__(self, options: CompressionOptions) -> None:
        self._options = options

    @hookimpl
    def compressions(self) -> Iterable[Compression]:
        from model_registry_compression.lossy.offers import OFFERS

        return OFFERS

    @hookimpl
    def compress(self, request: CompressRequest, files: VersionFiles) -> Any | None:
        from model_registry_compression.lossy.offers import OFFERS

        if not any((way.type, way.format) == (request.type, request.format) for way in OFFERS):
            return None
        try:
            return _compressed(request, files)
        except ModelRegistryError:
            raise
        except ImportError as error:
            raise PluginLoadError(
                f"making {request.format} smaller needs a package that is not installed: {error}",
                hint=f"pip install 'model-registry-compression[{request.format}]'",
            ) from error

    @hookimpl
    def plotter(self) -> Callable[[CompressionReport, Path], object]:
        try:
            from model_registry_compression.lossy.plot import draw
        except ImportError as error:
            raise PluginLoadError(
                f"drawing needs matplotlib: {error}", hint="pip install 'model-registry-compression[plot]'"
            ) from error
        return draw

    @hookimpl
    def encode(self, cold: ColdFile) -> Iterable[Callable[[], Encoded]]:
        from model_registry_compression.lossless.encode import encode

        return encode(cold, self._options)

    @hookimpl
    def decode(
        self, method: str, data: memoryview, size: int, base: memoryview | None
    ) -> bytes | bytearray | memoryview | None:
        from model_registry_compression.lossless.methods import decode

        return decode(method, data, size, base)


def _compressed(request: CompressRequest, files: VersionFiles) -> Any:
    if request.format == ModelFormat.ONNX:
        from model_registry_compression.lossy.onnx_models import compress_onnx

        return compress_onnx(files, request.type, request.options, request.folder)
    if request.format == ModelFormat.PYTORCH:
        from model_registry_compression.lossy.torch_modules import compress_module

        return compress_module(request.model(), request.type, request.options)
    from model_registry_compression.lossy.transformers_models import compress_transformers

    return compress_transformers(request, files)
