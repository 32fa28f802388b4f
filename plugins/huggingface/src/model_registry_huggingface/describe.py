"""Metadata from a version's files alone: configurations, the headers of the weights, the model card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from model_registry import VersionFiles
from model_registry_huggingface.card import read_card
from model_registry_huggingface.configs import read_config
from model_registry_huggingface.headers import Tensor, all_tensors
from model_registry_huggingface.layout import ADAPTER_CONFIG, CONFIG
from model_registry_huggingface.tasks import task_of

_CONTEXT = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length", "max_target_positions")
#: What transformers writes for a tokenizer without a limit.
_NO_LIMIT = 10**15


def describe_huggingface(files: VersionFiles) -> Mapping[str, Any]:
    """Fields of ``ModelMetadata``, and for ``extra``: ``architecture``, ``transformers_type``, ``task``,
    ``parameters_by_dtype`` (elements), ``weights_bytes``, ``vocabulary_size``, ``context_length`` (tokens),
    ``tokenizer_class``, and what the model card tells: ``languages``, ``base_model``, ``datasets``, ``card_tags`` and
    ``model_card``."""
    tensors = [tensor for _, _, tensor in all_tensors(files)]
    card = dict(read_card(files))
    own = _of_adapter(files) if CONFIG not in files else _of_model(files)
    if "base_model" in card:
        own.pop("base_model", None)
    told = {"framework": "transformers", **_weights(tensors), **card, **own}
    return {key: value for key, value in told.items() if value not in (None, [], {})}


def _weights(tensors: Iterable[Tensor]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    size = 0
    for tensor in tensors:
        counts[tensor.dtype] += tensor.elements
        size += tensor.nbytes
    by_dtype = dict(sorted(counts.items()))
    return {"parameters_count": sum(by_dtype.values()), "parameters_by_dtype": by_dtype, "weights_bytes": size}


def _of_model(files: VersionFiles) -> dict[str, Any]:
    config = read_config(files, CONFIG)
    tokenizer = read_config(files, "tokenizer_config.json")
    names = config.get("architectures")
    architecture = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    task, model_type = task_of(architecture, config, is_sentence_model="modules.json" in files)
    return {
        "architecture": architecture or None,
        "transformers_type": _text(config.get("model_type")),
        "task": task,
        "model_type": None if model_type is None else str(model_type),
        "vocabulary_size": _number(_found(config, ("vocab_size",))),
        "context_length": _context_length(config, tokenizer),
        "tokenizer_class": _text(tokenizer.get("tokenizer_class")),
    }


def _of_adapter(files: VersionFiles) -> dict[str, Any]:
    config = read_config(files, ADAPTER_CONFIG)
    base = _text(config.get("base_model_name_or_path"))
    return {
        "architecture": _text(config.get("peft_type")),
        "task": _text(config.get("task_type")),
        "adapter_rank": _number(config.get("r")),
        # A path is of the machine that trained it, and no name.
        "base_model": None if base is None or base.startswith(("/", ".", "~")) or "\\" in base else [base],
    }


def _found(config: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first of these entries, in the configuration or in that of its text model."""
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        for name in names:
            if part.get(name) is not None:
                return part[name]
    return None


def _context_length(config: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> int | None:
    found = [_number(_found(config, _CONTEXT)), _number(tokenizer.get("model_max_length"))]
    return min((number for number in found if number), default=None)


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < _NO_LIMIT else None


def _text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) and value else None
