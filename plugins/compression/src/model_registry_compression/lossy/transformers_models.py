"""Making a model of transformers smaller."""

from __future__ import annotations

import shutil
from pathlib import Path

from transformers.utils import logging

from model_registry import EXAMPLE_INPUTS, CompressRequest, VersionFiles
from model_registry_compression.huggingface import describe_stored
from model_registry_compression.lossy.torch_modules import compress_module

_WEIGHTS = (".safetensors", ".safetensors.index.json")


def compress_transformers(request: CompressRequest, files: VersionFiles) -> Path:
    """A folder with the model, smaller, whose configuration says so, and whatever else belongs to it."""
    model = compress_module(request.model(), request.type, request.options)
    describe_stored(model)
    folder = request.folder / "smaller"
    were_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model.save_pretrained(str(folder))  # type: ignore[operator]
    finally:
        if were_shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    for path in files:
        beside = folder / path
        is_weights = "/" not in path and path.endswith(_WEIGHTS)
        if not is_weights and path != EXAMPLE_INPUTS and not beside.exists():
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files.local(path), beside)
    return folder
