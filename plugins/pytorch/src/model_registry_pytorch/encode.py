"""Attribute values to JSON.

``null``, booleans, numbers, strings and lists are themselves. Everything else is an object with one key, its kind::

    {"dict": [[key, value], …]}          {"orderedDict": {"items": [[key, value], …], "metadata": value}}
    {"tuple": […]}  {"set": […]}  {"frozenset": […]}  {"slice": [start, stop, step]}  {"range": [start, stop, step]}
    {"float": "nan"}  {"int": "0x…"}  {"complex": [re, im]}  {"bytes": base64}  {"bytearray": base64}
    {"counter": [[key, value], …]}       {"defaultdict": {"factory": value, "items": [[key, value], …]}}
    {"dtype": "torch.float32"}  {"device": "cuda:0"}  {"memoryFormat": "torch.channels_last"}  {"size": [2, 3]}
    {"tensor": name}  {"module": index}  {"numpy": {"dtype": "<f8", "data": base64}}
    {"function": "torch.nn.functional.gelu"}  {"foreignFunction": {"module": …, "qualname": …}}
    {"builtinClass": "int"}  {"moduleClass": {"module": …, "qualname": …}}
    {"partial": {"function": value, "args": […], "keywords": {…}}}
    {"enum": {"class": {…}, "member": name}}   {"dataclass": {"class": {…}, "fields": {…}}}
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import enum
import functools
import json
import math
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from model_registry import UnsupportedModelError
from model_registry_pytorch import functions
from model_registry_pytorch.classes import own_state_methods
from model_registry_pytorch.options import PyTorchOptions

if TYPE_CHECKING:
    import torch

MAX_NESTING = 64
MAX_VALUES = 1_000_000  # of one model; what is large belongs into tensors
_PLAIN_INT = 1 << 63


class ValueEncoder:
    """Encodes the values of one model.

    :param options: Says which modules the user trusts.
    :param add_tensor: Stores a tensor: ``(tensor, wished name, where) -> name``.
    :param add_module: Stores a module: ``(module, path) -> {"module": index}``.
    """

    def __init__(
        self,
        options: PyTorchOptions,
        add_tensor: Callable[[torch.Tensor, str, str], str],
        add_module: Callable[[torch.nn.Module, str], dict[str, int]],
    ) -> None:
        self._options = options
        self._add_tensor = add_tensor
        self._add_module = add_module
        self._values = 0

    def encode(self, value: Any, path: str, nesting: int = 0) -> Any:
        """The JSON of a value.

        :param path: Dotted way to the value, for names of tensors and for messages.
        :raises UnsupportedModelError: naming the path of what cannot be stored, and what to do.
        """
        if nesting > MAX_NESTING:
            raise _unsupported(path, f"is nested deeper than {MAX_NESTING} levels, or contains itself")
        self._values += 1
        if self._values > MAX_VALUES:
            raise _unsupported(
                path, f"is one of more than {MAX_VALUES:,} values; a list that is in many lists counts often"
            )
        encoder = _BY_TYPE.get(type(value), ValueEncoder._other)
        return encoder(self, value, path, nesting)

    def _itself(self, value: Any, path: str, nesting: int) -> Any:
        return value

    def _int(self, value: int, path: str, nesting: int) -> Any:
        return value if abs(value) < _PLAIN_INT else {"int": hex(value)}

    def _float(self, value: float, path: str, nesting: int) -> Any:
        return value if math.isfinite(value) else {"float": str(value)}

    def _complex(self, value: complex, path: str, nesting: int) -> Any:
        return {"complex": [self._float(value.real, path, nesting), self._float(value.imag, path, nesting)]}

    def _bytes(self, value: bytes | bytearray, path: str, nesting: int) -> Any:
        return {type(value).__name__: base64.b64encode(value).decode()}

    def _list(self, value: list[Any], path: str, nesting: int) -> Any:
        return self._items(value, path, nesting)

    def _tuple(self, value: tuple[Any, ...], path: str, nesting: int) -> Any:
        return {"tuple": self._items(value, path, nesting)}

    def _set(self, value: set[Any], path: str, nesting: int) -> Any:
        items = self._items(value, path, nesting)
        return {type(value).__name__: sorted(items, key=lambda item: json.dumps(item, sort_keys=True))}

    def _slice(self, value: Any, path: str, nesting: int) -> Any:
        return {type(value).__name__: self._items((value.start, value.stop, value.step), path, nesting)}

    def _dict(self, value: dict[Any, Any], path: str, nesting: int) -> Any:
        return {"dict": self._pairs(value, path, nesting)}

    def _ordered_dict(self, value: collections.OrderedDict[Any, Any], path: str, nesting: int) -> Any:
        extra = dict(vars(value))
        metadata = extra.pop("_metadata", None)  # where Module.state_dict() keeps the versions of modules
        if extra:
            raise _unsupported(path, f"is an OrderedDict with the attribute {min(extra)!r}")
        encoded = {"items": self._pairs(value, path, nesting)}
        if metadata is not None:
            encoded["metadata"] = self.encode(metadata, f"{path}._metadata", nesting + 1)
        return {"orderedDict": encoded}

    def _counter(self, value: collections.Counter[Any], path: str, nesting: int) -> Any:
        return {"counter": self._pairs(value, path, nesting)}

    def _defaultdict(self, value: collections.defaultdict[Any, Any], path: str, nesting: int) -> Any:
        factory = self.encode(value.default_factory, f"{path}.default_factory", nesting + 1)
        return {"defaultdict": {"factory": factory, "items": self._pairs(value, path, nesting)}}

    def _partial(self, value: functools.partial[Any], path: str, nesting: int) -> Any:
        if vars(value):
            raise _unsupported(path, "is a functools.partial with attributes of its own")
        keywords = {name: self.encode(item, f"{path}.{name}", nesting + 1) for name, item in value.keywords.items()}
        function = self.encode(value.func, f"{path}.func", nesting + 1)
        if not isinstance(function, dict) or not {"function", "foreignFunction", "moduleClass"} & set(function):
            raise _unsupported(path, "is a functools.partial of something else than a function or module class")
        return {"partial": {"function": function, "args": self._items(value.args, path, nesting), "keywords": keywords}}

    def _items(self, values: Any, path: str, nesting: int) -> list[Any]:
        return [self.encode(item, f"{path}.{index}", nesting + 1) for index, item in enumerate(values)]

    def _pairs(self, value: Mapping[Any, Any], path: str, nesting: int) -> list[list[Any]]:
        return [
            [self.encode(key, f"{path}.{key}", nesting + 1), self.encode(item, _join(path, key), nesting + 1)]
            for key, item in value.items()
        ]

    def _other(self, value: Any, path: str, nesting: int) -> Any:
        import torch

        if isinstance(value, torch.Tensor):
            return {"tensor": self._add_tensor(value, path, f"the tensor {path!r}")}
        if isinstance(value, torch.nn.Module):
            return self._add_module(value, path)  # filled in when the order of modules is known
        if isinstance(value, torch.Size):
            return {"size": list(value)}
        for kind, cls in (("dtype", torch.dtype), ("device", torch.device), ("memoryFormat", torch.memory_format)):
            if isinstance(value, cls):
                return {kind: str(value)}
        if isinstance(value, enum.Enum):
            return self._enum(value, path)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, path, nesting)
        if isinstance(value, type):
            return self._class(value, path)
        if id(value) in functions.by_identity():
            return {"function": functions.by_identity()[id(value)]}
        if isinstance(value, types.FunctionType):
            return self._function(value, path)
        return _numpy_scalar(value) or _refuse(value, path)

    def _enum(self, value: enum.Enum, path: str) -> Any:
        cls = type(value)
        if not isinstance(value.name, str) or cls.__members__.get(value.name) is not value:
            raise _unsupported(path, f"is a combination of {cls.__name__} flags, which has no single name")
        return {"enum": {"class": identity(cls), "member": value.name}}

    def _dataclass(self, value: Any, path: str, nesting: int) -> Any:
        cls = type(value)
        self._require_plain_state(cls, path)
        names = [field.name for field in dataclasses.fields(value)]
        undeclared = set(getattr(value, "__dict__", ())) - set(names)
        if undeclared or isinstance(value, dict | list | tuple | set | str | int | float | bytes):
            raise _unsupported(path, f"is a {cls.__name__} that holds more than its declared fields")
        fields = {
            name: self.encode(getattr(value, name), f"{path}.{name}", nesting + 1)
            for name in names
            if hasattr(value, name)
        }
        return {"dataclass": {"class": identity(cls), "fields": fields}}

    def _require_plain_state(self, cls: type, path: str) -> None:
        methods = own_state_methods(cls)
        if methods:
            raise _unsupported(
                path, f"is a {cls.__name__}, which is stored by {methods[0]}, a method that is not called"
            )

    def _class(self, value: type, path: str) -> Any:
        import torch

        if functions.BUILTIN_CLASSES.get(value.__name__) is value:
            return {"builtinClass": value.__name__}
        if issubclass(value, torch.nn.Module):
            return {"moduleClass": identity(value)}
        raise _unsupported(path, f"is the class {value.__qualname__}, which is no nn.Module")

    def _function(self, value: types.FunctionType, path: str) -> Any:
        if self._options.trusts(value.__module__) and "<" not in value.__qualname__:
            return {"foreignFunction": identity(value)}
        advice = "make it a method of the model"
        if "<" not in value.__qualname__ and value.__module__ != "__main__":  # what has a name that others can import
            package = value.__module__.partition(".")[0]
            advice = f'add "{package}" to trusted_modules under [plugins.pytorch], or {advice}'
        raise _unsupported(
            path, f"is the function {value.__module__}.{value.__qualname__}, which a record may not name", advice
        )


def identity(value: Any) -> dict[str, str]:
    """How records name a class or function."""
    return {"module": value.__module__, "qualname": value.__qualname__}


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _numpy_scalar(value: Any) -> Any:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic) or value.dtype.kind not in "biufc":
        return None
    return {"numpy": {"dtype": value.dtype.str, "data": base64.b64encode(value.tobytes()).decode()}}


def _refuse(value: Any, path: str) -> Any:
    raise _unsupported(path, f"is a {type(value).__module__}.{type(value).__qualname__}, which the record cannot hold")


def _unsupported(path: str, problem: str, hint: str = "") -> UnsupportedModelError:
    return UnsupportedModelError(
        f"the attribute {path!r} {problem}",
        hint=hint or "delete it before registering, make it a property, or register model.state_dict()",
        attribute=path,
    )


_BY_TYPE: Mapping[type, Callable[[ValueEncoder, Any, str, int], Any]] = {
    type(None): ValueEncoder._itself,
    bool: ValueEncoder._itself,
    str: ValueEncoder._itself,
    int: ValueEncoder._int,
    float: ValueEncoder._float,
    complex: ValueEncoder._complex,
    bytes: ValueEncoder._bytes,
    bytearray: ValueEncoder._bytes,
    list: ValueEncoder._list,
    tuple: ValueEncoder._tuple,
    set: ValueEncoder._set,
    frozenset: ValueEncoder._set,
    slice: ValueEncoder._slice,
    range: ValueEncoder._slice,
    dict: ValueEncoder._dict,
    collections.OrderedDict: ValueEncoder._ordered_dict,
    collections.Counter: ValueEncoder._counter,
    collections.defaultdict: ValueEncoder._defaultdict,
    functools.partial: ValueEncoder._partial,
}
