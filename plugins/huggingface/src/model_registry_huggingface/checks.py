"""Validation of the structure of stored versions; transformers is not imported."""

from __future__ import annotations

from collections.abc import Iterator

from model_registry import Finding, ModelRegistryError, VersionFiles
from model_registry_huggingface.configs import read_json, require_no_code
from model_registry_huggingface.headers import all_tensors, check_indexes
from model_registry_huggingface.layout import ADAPTER_CONFIG, CONFIG, is_pickled, is_weights

_READ_AGAIN = "register the model again from its source"


def check_huggingface(files: VersionFiles) -> Iterator[Finding]:
    """Check that nothing asks for code, that the indexes name members, and that every header is sound."""
    if CONFIG not in files and ADAPTER_CONFIG not in files:
        yield Finding("error", "config-missing", CONFIG, f"the version has neither {CONFIG} nor {ADAPTER_CONFIG}")
        return
    try:
        require_no_code(files)
        _require_json(files)
        check_indexes(files)
        tensors = sum(1 for _ in all_tensors(files))
    except ModelRegistryError as error:
        where = str(error.facts.get("path", CONFIG))
        code = "weights-unsound" if is_weights(where) or where.endswith("index.json") else "config-unsound"
        yield Finding("error", code, where, error.message, error.hint or _READ_AGAIN)
        return
    if not tensors:
        yield Finding("error", "weights-missing", CONFIG, "the version has no weights (*.safetensors)", _READ_AGAIN)
    for path in files:
        if is_pickled(path):
            message = "pickled weights are never read"
            yield Finding("error", "weights-pickled", path, message, "save the model again as safetensors")


def _require_json(files: VersionFiles) -> None:
    for path in files:
        if path.endswith(".json"):
            read_json(files, path)
