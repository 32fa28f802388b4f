"""PEFT adapters: versions that hold what was learned beside a base model, which is another version."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from model_registry import (
    LoadedModel,
    LoadRequest,
    PluginLoadError,
    UnsafeModelError,
    UnsupportedModelError,
    VersionFiles,
)
from model_registry_huggingface.alone import alone_and_quiet
from model_registry_huggingface.formats import HUGGINGFACE
from model_registry_huggingface.layout import ADAPTER_WEIGHTS, CONFIG
from model_registry_huggingface.messages import first_line
from model_registry_huggingface.parts import load_part


def load_adapter(request: LoadRequest, files: VersionFiles, load_base: Callable[[VersionFiles], Any]) -> LoadedModel:
    """The base model with the adapter in it.

    :raises UnsupportedModelError: if the base is not in the registry.
    """
    if importlib.util.find_spec("peft") is None:
        raise PluginLoadError("an adapter needs peft", hint="pip install model-registry-huggingface[adapters]")
    base = _base_of(request)
    if ADAPTER_WEIGHTS not in files:
        raise UnsafeModelError(f"the adapter has no {ADAPTER_WEIGHTS}", hint="register it again", path=ADAPTER_WEIGHTS)
    model = load_base(base)
    peft = importlib.import_module("peft")
    try:
        with alone_and_quiet():
            adapted = peft.PeftModel.from_pretrained(model, str(files.directory()), is_trainable=False)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UnsafeModelError(
            f"peft cannot put this adapter into its base: {first_line(error)}", hint="was it made for another model?"
        ) from error
    return LoadedModel(adapted, load_part(files) or load_part(base))


def _base_of(request: LoadRequest) -> VersionFiles:
    """The files of the parent that the adapter is for: the one said to be so, else the first model of our format."""
    parents = [parent for parent in request.parents() if parent.format == HUGGINGFACE and CONFIG in parent.files]
    for parent in sorted(parents, key=lambda parent: parent.parent.relation != "adapter"):
        found: VersionFiles = parent.files
        return found
    raise UnsupportedModelError(
        "the model that the adapter is for is not in this registry, or was removed",
        hint='register it and the adapter again, with parent="base:1.0.0"',
    )
