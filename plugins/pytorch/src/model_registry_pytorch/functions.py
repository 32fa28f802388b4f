"""The functions that a record may name: a closed table, so that no name from a file is ever looked up elsewhere."""

from __future__ import annotations

import builtins
import functools
import math
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: Plain classes that occur as values, such as ``self.cast = float``.
BUILTIN_CLASSES: Mapping[str, type] = {
    kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range)
}
_BUILTIN_FUNCTIONS = ("abs", "len", "max", "min", "pow", "round", "sum")
_WRITES_FILES = frozenset({"from_file"})  # torch.from_file creates the file that it maps


@functools.cache
def by_name() -> Mapping[str, Callable[..., Any]]:
    """Every function that records may name. The first of several names is the one that gets written."""
    return dict(_functions())


@functools.cache
def by_identity() -> Mapping[int, str]:
    """The name of each function of the table, by ``id``."""
    names: dict[int, str] = {}
    for name, function in by_name().items():
        names.setdefault(id(function), name)
    return names


def _functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    import torch
    from torch.nn import functional, init

    yield from _public("torch.nn.functional", functional, {"torch.nn.functional", "torch._C._nn", "torch"})
    for name in sorted({*dir(torch._C._VariableFunctions), *torch.functional.__all__} - _WRITES_FILES):
        function: Any = getattr(torch, name, None)
        if not name.startswith("_") and _is_function(function):
            yield f"torch.{name}", function
    yield from _public("torch.special", torch.special, {"torch._C._special"})
    yield from _public("torch.linalg", torch.linalg, {"torch._C._linalg"})
    yield from _public("torch.fft", torch.fft, {"torch._C._fft"})
    yield from _public("torch.nn.init", init, {"torch.nn.init"})
    yield from _public("math", math, {"math"})
    for name in _BUILTIN_FUNCTIONS:
        yield f"builtins.{name}", getattr(builtins, name)


def _public(prefix: str, namespace: types.ModuleType, homes: set[str]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, function in sorted(vars(namespace).items()):
        if not name.startswith("_") and _is_function(function) and function.__module__ in homes:
            yield f"{prefix}.{name}", function


def _is_function(value: Any) -> bool:
    return isinstance(value, types.FunctionType | types.BuiltinFunctionType)
