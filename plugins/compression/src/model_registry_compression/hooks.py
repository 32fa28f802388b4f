"""The plugin: hook implementations, each delegating to a file of its own name or purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from model_registry import ColdFile, Encoded, hookimpl
from model_registry_compression.options import CompressionOptions


class Plugin:
    """Compression for ``model_registry``. Code that needs numpy or zstandard is imported when a hook needs it."""

    Options = CompressionOptions

    def __init__(self, options: CompressionOptions) -> None:
        self._options = options

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
