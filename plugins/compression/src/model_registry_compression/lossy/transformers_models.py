"""Making a model of transformers smaller."""

from __future__ import annotations

from typing import Any

from model_registry import CompressRequest, UnsupportedModelError, VersionFiles
from model_registry_compression.huggingface import describe_stored
from model_registry_compression.lossy.torch_modules import compress_module


def compress_transformers(request: CompressRequest, files: VersionFiles) -> Any:
    """The model, smaller, with a configuration that says so.

    :raises UnsupportedModelError: for an adapter, and for what has nothing to compress.
    """
    if "config.json" not in files:
        raise UnsupportedModelError(
            "an adapter is small already", hint="merge it into its model first: load it, and merge_and_unload()"
        )
    model = compress_module(request.model(), request.type, request.options)
    describe_stored(model)
    return model
