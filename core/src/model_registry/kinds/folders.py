"""The kind of a folder, by the names of its files and the keys of its small JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model_registry.kinds.bounded import BUDGET
from model_registry.kinds.kind import Content, Kind

_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "tokenizer.model", "spiece.model")
_STARTS_RECORD = b'{"kind":"'
#: Folders are looked at, not searched.
_MOST_FILES = 10_000


def content_of_folder(folder: Path) -> Content:
    """See :func:`model_registry.kinds.content_of`."""
    names = set()
    for item in folder.iterdir():
        names.add(item.name)
        if len(names) == _MOST_FILES:
            break
    if not names:
        return Content(Kind.EMPTY)
    return _by_record(folder, names) or Content(_by_names(names))


def _by_record(folder: Path, names: set[str]) -> Content | None:
    """Folders that say themselves what they are, in a small file."""
    if "module.json" in names and _begins(folder / "module.json", _STARTS_RECORD):
        return Content(Kind.PYTORCH_FOLDER)
    if "adapter_config.json" in names:
        config = _keys(folder / "adapter_config.json")
        return _sound(Kind.PEFT, config, "adapter_config.json") if config is None or "peft_type" in config else None
    is_onnx = any(name.endswith(".onnx") for name in names) and not any(".safetensors" in name for name in names)
    if "config.json" in names and not is_onnx:
        config = _keys(folder / "config.json")
        if config is None or {"model_type", "architectures", "transformers_version", "auto_map"} & set(config):
            return _sound(Kind.TRANSFORMERS, config, "config.json")
    return None


def _sound(kind: Kind, config: dict[str, Any] | None, name: str) -> Content:
    return Content(kind, "" if config is not None else f"its {name} is no JSON object of at most 1 MiB")


def _by_names(names: set[str]) -> Kind:
    if "model_index.json" in names:
        return Kind.DIFFUSERS
    if {"saved_model.pb", "saved_model.pbtxt"} & names:
        return Kind.TF_SAVED_MODEL
    if {"Manifest.json", "Data"} <= names:
        return Kind.CORE_ML
    if "MLmodel" in names:
        return Kind.MLFLOW
    suffixes = [Path(name).suffix.lower() for name in names]
    if ".onnx" in suffixes:
        return Kind.ONNX_FOLDER
    if ".xml" in suffixes and ".bin" in suffixes:
        return Kind.OPENVINO
    return Kind.TOKENIZER if names & set(_TOKENIZERS) else Kind.FOLDER


def _begins(path: Path, start: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _keys(path: Path) -> dict[str, Any] | None:
    """The object of a JSON file; None if it is none."""
    if not path.is_file() or path.stat().st_size > BUDGET:
        return None
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
