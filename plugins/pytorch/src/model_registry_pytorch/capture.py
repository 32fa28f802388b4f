"""From a model in memory to its record and tensors."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import evolve, frozen

from model_registry import UnsupportedModelError
from model_registry_pytorch import record
from model_registry_pytorch.encode import ValueEncoder
from model_registry_pytorch.modules import (
    COMPILED,
    base_state,
    is_free_name,
    original_class,
    require_storable,
    state_of,
)
from model_registry_pytorch.options import PyTorchOptions
from model_registry_pytorch.record import ModuleRecord, Record
from model_registry_pytorch.tensors import TensorTable

if TYPE_CHECKING:
    import torch


def capture_module(module: torch.nn.Module, options: PyTorchOptions) -> tuple[Record, TensorTable]:
    """Record a module.

    :raises UnsupportedModelError: naming what cannot be stored, and what to do.
    """
    table = TensorTable()
    capture = _Capture(options, table)
    capture.add(module, "")
    capture.encode_attributes()
    table.require_apart()
    modules = capture.ordered()
    record.check_shape(modules, _too_tangled)
    return Record("module", modules, table.records), table


def capture_value(value: Any, options: PyTorchOptions, *, from_file: bool = False) -> tuple[Record, TensorTable]:
    """Record a state dict or checkpoint: tensors in dictionaries, lists and plain values.

    :raises UnsupportedModelError: naming what cannot be stored, and what to do.
    """
    table = TensorTable(from_file=from_file)
    encoder = ValueEncoder(options, table.add, _no_module)
    encoded = encoder.encode(value, "")
    return Record("value", (), table.records, encoded), table


def _too_tangled(problem: str) -> NoReturn:
    raise UnsupportedModelError(
        f"the model cannot be stored: {problem}",
        hint="keep a module that refers to its parent in a list, not as a child",
    )


def _no_module(module: torch.nn.Module, path: str) -> NoReturn:
    raise UnsupportedModelError(
        f"{path!r} is a whole {type(module).__name__} in a dictionary",
        hint="register the module itself, or its state_dict()",
    )


@frozen
class _Found:
    """A module, the path it was found under, and what is known of it so far."""

    module: torch.nn.Module
    path: str
    cls: type
    state: dict[str, Any]
    reference: dict[str, int]  # {"module": index}, wherever a value refers to it; the index comes last


class _Capture:
    def __init__(self, options: PyTorchOptions, table: TensorTable) -> None:
        self._options = options
        self._table = table
        self._encoder = ValueEncoder(options, table.add, self.add)
        self._found: list[_Found] = []
        self._numbers: dict[int, int] = {}
        self._records: list[ModuleRecord] = []

    def add(self, module: torch.nn.Module, path: str) -> dict[str, int]:
        """Find a module and everything below it, in the order of ``named_modules()``."""
        waiting = [(module, path)]
        while waiting:
            current, prefix = waiting.pop()
            if id(current) in self._numbers:
                continue
            found = self._find(current, prefix)
            children = [(child, _join(prefix, name)) for name, child in _items(found, "_modules") if child is not None]
            waiting.extend(reversed(children))
        return self._found[self._numbers[id(module)]].reference

    def _find(self, module: torch.nn.Module, path: str) -> _Found:
        cls = original_class(module)
        require_storable(module, cls, path, self._options)
        found = _Found(module, path, cls, state_of(module, cls), {"module": len(self._found)})
        self._numbers[id(module)] = len(self._found)
        self._found.append(found)
        self._records.append(self._record(found))
        return found

    def _record(self, found: _Found) -> ModuleRecord:
        return ModuleRecord(
            module=found.cls.__module__,
            qualname=found.cls.__qualname__,
            training=bool(found.state["training"]),
            parameters=self._tensors(found, "_parameters"),
            buffers=self._tensors(found, "_buffers"),
            transient=frozenset(found.state["_non_persistent_buffers_set"]),
            parametrized=_parametrized(found.module),
        )

    def _tensors(self, found: _Found, kind: str) -> tuple[tuple[str, str | None], ...]:
        return tuple((name, self._tensor(tensor, _join(found.path, name))) for name, tensor in _items(found, kind))

    def _tensor(self, tensor: torch.Tensor | None, name: str) -> str | None:
        return None if tensor is None else self._table.add(tensor, name, f"the tensor {name!r}")

    def encode_attributes(self) -> None:
        """Encode every module's attributes. Modules that only values refer to are found on the way."""
        for number, found in enumerate(self._found):  # grows while it is walked
            attributes = {
                name: self._encoder.encode(_checked(found, name), _join(found.path, name))
                for name in sorted(found.state)
                if name not in base_state() and name != COMPILED
            }
            self._records[number] = evolve(self._records[number], attributes=attributes)

    def ordered(self) -> tuple[ModuleRecord, ...]:
        """The records with every child after all its parents, the model first; references follow."""
        order = self._order()
        place = {number: index for index, number in enumerate(order)}
        for number, found in enumerate(self._found):
            found.reference["module"] = place[number]
        return tuple(evolve(self._records[number], children=self._children(number, place)) for number in order)

    def _children(self, number: int, place: dict[int, int]) -> tuple[tuple[str, int | None], ...]:
        return tuple(
            (name, None if child is None else place[self._numbers[id(child)]])
            for name, child in _items(self._found[number], "_modules")
        )

    def _order(self) -> list[int]:
        """Kahn's algorithm; of the modules that may come next, the first found does."""
        parents = [0] * len(self._found)
        for number in range(len(self._found)):
            for child in self._child_numbers(number):
                parents[child] += 1
        ready = [number for number, count in enumerate(parents) if count == 0]
        order = []
        while ready:
            number = heapq.heappop(ready)
            order.append(number)
            for child in self._child_numbers(number):
                parents[child] -= 1
                if parents[child] == 0:
                    heapq.heappush(ready, child)
        if len(order) < len(self._found) or order[0] != 0:
            _too_tangled("a module contains the model, or itself, as a child")
        return order

    def _child_numbers(self, number: int) -> list[int]:
        children = _items(self._found[number], "_modules")
        return [self._numbers[id(child)] for _, child in children if child is not None]


def _checked(found: _Found, name: str) -> Any:
    if is_free_name(found.cls, name):
        return found.state[name]
    raise UnsupportedModelError(
        f"the attribute {_join(found.path, name)!r} hides {found.cls.__qualname__}.{name}",
        hint="give the attribute another name, or put the change into a subclass",
        attribute=_join(found.path, name),
    )


def _parametrized(module: torch.nn.Module) -> tuple[str, ...]:
    from torch.nn.utils import parametrize

    if not parametrize.is_parametrized(module):
        return ()
    return tuple(module.parametrizations.keys())  # type: ignore[operator, union-attr]


def _items(found: _Found, kind: str) -> list[tuple[str, Any]]:
    return list(found.state[kind].items())


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
