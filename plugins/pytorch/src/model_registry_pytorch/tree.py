"""The module tree in words, from the record alone: no class is looked up and no framework imported."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

from model_registry import VersionFiles
from model_registry_pytorch import record as records
from model_registry_pytorch.encode import MAX_NESTING
from model_registry_pytorch.layout import RECORD
from model_registry_pytorch.record import ModuleRecord, Record
from model_registry_pytorch.words import shortened, value_text

_LONGEST_VALUE = 80
_LONGEST_LINE = 1000


def describe_modules(files: VersionFiles) -> dict[str, str] | None:
    """Path in the tree ("" is the model) to a line such as ``torch.nn.modules.linear.Linear(in_features=4, …)``.

    Modules that are shared stand under each of their paths; those that only attributes refer to, under the first.
    None for a state dict or checkpoint.
    """
    record = records.decode(files.read(RECORD))
    if record.kind != "module":
        return None
    lines = [_line(module) for module in record.modules]
    return {path: lines[index] + _mode(record, index, parent) for path, index, parent in _walk(record)}


def _walk(record: Record) -> Iterator[tuple[str, int, int | None]]:
    """(path, number, number of the parent) of every module; shared children once for each of their paths."""
    first: dict[int, str] = {}
    for path, index, parent in _tree(record):
        first.setdefault(index, path)
        yield path, index, parent
    waiting = collections.deque(first.items())
    while waiting:
        parent, path = waiting.popleft()
        for way, index in _mentioned(record.modules[parent], path):
            if index not in first and 0 <= index < len(record.modules):
                first[index] = way
                waiting.append((index, way))
                yield way, index, parent


def _tree(record: Record) -> Iterator[tuple[str, int, int | None]]:
    """What children lead to, parents first, in torch's order; ``record.check_shape`` bounds the number of paths."""
    waiting: list[tuple[str, int, int | None]] = [("", 0, None)]
    while waiting:
        path, index, parent = waiting.pop()
        yield path, index, parent
        waiting.extend((way, child, index) for way, child in reversed(_children(record.modules[index], path)))


def _children(module: ModuleRecord, path: str) -> list[tuple[str, int]]:
    return [(_join(path, name), child) for name, child in module.children if child is not None]


def _mentioned(module: ModuleRecord, path: str) -> Iterator[tuple[str, int]]:
    yield from _children(module, path)
    for name, value in module.attributes.items():
        yield from _references(value, _join(path, name))


def _references(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, int]]:
    """The modules that a value refers to, and the way to each."""
    if depth > MAX_NESTING:
        return
    if isinstance(value, dict) and len(value) == 1 and type(value.get("module")) is int:
        yield path, value["module"]
        return
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for name, item in items:
        yield from _references(item, f"{path}.{name}", depth + 1)


def _line(module: ModuleRecord) -> str:
    values = {name: shortened(value_text(value), _LONGEST_VALUE) for name, value in module.attributes.items()}
    arguments = ", ".join(f"{name}={text}" for name, text in {**values, **_slots(module)}.items())
    return shortened(f"{module.module}.{module.qualname}({arguments})", _LONGEST_LINE)


def _slots(module: ModuleRecord) -> dict[str, str]:
    """What is told of parameters and buffers: whether there is a bias, and which are left out."""
    told = {}
    for name, tensor in (*module.parameters, *module.buffers):
        if name == "bias":
            told[name] = str(tensor is not None)
        elif tensor is None:
            told[name] = "None"
    if module.parametrized:
        told["parametrized"] = ", ".join(module.parametrized)
    return told


def _mode(record: Record, index: int, parent: int | None) -> str:
    """In which mode the model is; of a module within, only where that is not its parent's."""
    training = record.modules[index].training
    if parent is not None and record.modules[parent].training == training:
        return ""
    return " in training mode" if training else " in evaluation mode"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
