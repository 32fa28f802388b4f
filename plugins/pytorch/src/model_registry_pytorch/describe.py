"""Metadata from a version's files alone: the record, and the headers of the weight files. torch is not imported."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from typing import Any

from model_registry import ModelType, VersionFiles
from model_registry_pytorch import record as records
from model_registry_pytorch.layout import RECORD
from model_registry_pytorch.record import Record
from model_registry_pytorch.safetensors_file import DTYPES, Entry
from model_registry_pytorch.weights import read_all_entries

#: Layers that give the probabilities of classes.
_CLASSIFYING = frozenset({"Softmax", "LogSoftmax", "AdaptiveLogSoftmaxWithLoss"})
#: How batch normalisation names its buffers: the only ones that can be told from parameters in a bare state dict.
_BUFFER_NAMES = frozenset({"running_mean", "running_var", "num_batches_tracked"})


def describe_pytorch(files: VersionFiles) -> Mapping[str, Any]:
    """Fields of ``ModelMetadata``, and counts for ``extra``. Tied tensors count once.

    Those are ``buffers_count`` (elements), ``weights_bytes``, ``dtypes`` (elements by dtype), and for modules
    ``trainable_parameters`` (elements) and ``layers`` (modules by class).
    """
    record = records.decode(files.read(RECORD))
    entries = read_all_entries(files)
    parameters = _parameters(record, entries)
    buffers = _buffers(record, entries) - parameters
    described: dict[str, Any] = {
        "framework": "pytorch",
        "parameters_count": _elements(entries, parameters) if _is_model(record) else None,
        "buffers_count": _elements(entries, buffers),
        "weights_bytes": sum(entry.nbytes for entry in entries.values()),
        "dtypes": _dtypes(entries.values()),
    }
    if record.kind == "module":
        trainable = {
            record.stored(name) for name, item in record.tensors.items() if item.parameter and item.requires_grad
        }
        described["trainable_parameters"] = _elements(entries, trainable)
        described["layers"] = _layers(record)
        described["model_type"] = _model_type(record)
    return described


def _is_model(record: Record) -> bool:
    """Whether all tensors are a model's: a module, or a state dict. A checkpoint may hold an optimizer's as well."""
    if record.kind == "module":
        return True
    content = next(iter(record.value.values())) if isinstance(record.value, dict) and len(record.value) == 1 else None
    items = content.get("items") if isinstance(content, dict) else content
    return isinstance(items, list) and all(map(_is_named_tensor, items))


def _is_named_tensor(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], dict) and "tensor" in pair[1]


def _parameters(record: Record, entries: Mapping[str, Entry]) -> set[str]:
    if record.kind == "module":
        return {record.stored(name) for name, item in record.tensors.items() if item.parameter}
    return {name for name in entries if name.rpartition(".")[2] not in _BUFFER_NAMES}


def _buffers(record: Record, entries: Mapping[str, Entry]) -> set[str]:
    if record.kind == "module":
        return {record.stored(name) for module in record.modules for _, name in module.buffers if name is not None}
    return set(entries)


def _elements(entries: Mapping[str, Entry], names: Iterable[str]) -> int:
    return sum(entries[name].elements for name in names if name in entries)


def _dtypes(entries: Iterable[Entry]) -> dict[str, int]:
    counts: collections.Counter[str] = collections.Counter()
    for entry in entries:
        counts[DTYPES[entry.dtype][0]] += entry.elements
    return dict(sorted(counts.items()))


def _model_type(record: Record) -> str | None:
    """What the last layer tells; most models do not tell."""
    last = record.modules[-1].qualname.rpartition(".")[2] if record.modules else ""
    return str(ModelType.CLASSIFICATION) if last in _CLASSIFYING else None


def _layers(record: Record) -> dict[str, int]:
    names = (module.qualname.rpartition(".")[2] for module in record.modules)
    return dict(sorted(collections.Counter(names).items()))


def describe_torchscript(files: VersionFiles) -> Mapping[str, Any]:
    """An archive is code: nothing but its framework is known without running it."""
    return {"framework": "pytorch"}
