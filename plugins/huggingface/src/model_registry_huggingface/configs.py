"""The JSON files of a version, read as data: no class is named by them alone, and no code."""

from __future__ import annotations

import json
from typing import Any

from model_registry import UnsafeModelError, VersionFiles

#: A tokenizer's file of a large vocabulary has some ten million bytes; a configuration has thousands.
_MOST_BYTES = 64 << 20
#: Files in which transformers would look for code to run.
_CHECKED = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "image_processor_config.json",
    "video_preprocessor_config.json",
    "adapter_config.json",
)


def read_config(files: VersionFiles, path: str) -> dict[str, Any]:
    """The JSON object of a file; an empty one if the version has no such file.

    :raises UnsafeModelError: if the file is something else.
    """
    if path not in files:
        return {}
    found = read_json(files, path)
    if not isinstance(found, dict):
        raise _refused(path, "is no JSON object")
    return found


def read_json(files: VersionFiles, path: str) -> Any:
    """:raises UnsafeModelError: if a file is no JSON."""
    try:
        return json.loads(files.read(path, _MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise _refused(path, "is no JSON") from error


def require_no_code(files: VersionFiles) -> None:
    """:raises UnsafeModelError: if a configuration names code to run: that of a repository, or modules to import."""
    for path in files:
        if path.rpartition("/")[2] not in _CHECKED:
            continue
        config = read_config(files, path)
        _require_no_auto_map(path, config, 0)
        if config.get("megatron_config") is not None:
            raise _refused(path, "names a module to import (megatron_core)")


def _require_no_auto_map(path: str, value: Any, depth: int) -> None:
    if depth > 32:
        raise _refused(path, "is nested too deep")
    if isinstance(value, dict):
        if value.get("auto_map"):
            raise UnsafeModelError(
                f"{path} has an auto_map: the model needs code of its repository, which is never run",
                hint='build the model from a class you trust, and register that with model_format="pytorch"',
                path=path,
            )
        for item in value.values():
            _require_no_auto_map(path, item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _require_no_auto_map(path, item, depth + 1)


def _refused(path: str, problem: str) -> UnsafeModelError:
    return UnsafeModelError(f"{path} {problem}", hint="get the model again from its source", path=path)
