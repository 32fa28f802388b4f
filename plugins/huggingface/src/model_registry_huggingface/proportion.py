"""Whether a model is as large as its files: a configuration of some hundred bytes could ask for terabytes.

transformers makes room for every weight that the configuration asks for, also for those that the files lack.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from model_registry import UnsafeModelError, VersionFiles
from model_registry_huggingface.classes import model_config
from model_registry_huggingface.headers import all_tensors
from model_registry_huggingface.layout import CONFIG, is_weights
from model_registry_huggingface.quantizers import replace_layers

#: Elements that a model may have beside those of its files: tables that are computed, weights that are tied.
_FREE = 64 << 20
_MOST_LAYERS = 2_000
_passed: set[str] = set()
_lock = threading.Lock()


def require_proportion(cls: Any, config: Mapping[str, Any], files: VersionFiles) -> None:
    """Build the model without memory for its weights, and compare. What has passed once in this process, passes.

    :raises UnsafeModelError: if the configuration asks for more than twice what the files hold.
    """
    sizes = [(path, files.size(path)) for path in files if is_weights(path)]
    key = hashlib.sha256(files.read(CONFIG) + f"{cls.__name__} {sizes}".encode()).hexdigest()
    with _lock:
        if key in _passed:
            return
    _require_few_layers(config)
    held = sum(tensor.elements for _, _, tensor in all_tensors(files))
    asked = _elements(cls, model_config(cls, files), config)
    if asked > 2 * held + _FREE:
        raise UnsafeModelError(
            f"{CONFIG} asks for {asked:,} weights, and the files hold {held:,}",
            hint="get the model again, with all its files",
            path=CONFIG,
        )
    with _lock:
        _passed.add(key)


def _elements(cls: Any, made: Any, config: Mapping[str, Any]) -> int:
    import torch

    with torch.device("meta"):
        skeleton = cls(made)
        replace_layers(skeleton, config)
    return sum(tensor.numel() for tensor in chain(skeleton.parameters(), skeleton.buffers()))


def _require_few_layers(config: Mapping[str, Any]) -> None:
    """Each layer takes time, even without its weights."""
    for key, value in _entries(config, 0):
        if ("layer" in key or "depth" in key) and type(value) is int and value > _MOST_LAYERS:
            asked = f"{CONFIG} asks for {value:,} in {key!r:.80}"
            raise UnsafeModelError(asked, hint="no model has so many", path=CONFIG)


def _entries(value: Any, depth: int, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration with the nearest key above it."""
    if depth > 16:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _entries(item, depth + 1, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item, depth + 1, key)
    else:
        yield key, value
