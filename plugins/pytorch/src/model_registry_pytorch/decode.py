"""Attribute values from JSON. The kinds are those of ``encode.py``, and no others.

Nothing is called here but constructors of plain data: classes come from the resolver, functions from a closed table,
and instances are made without their ``__init__``.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import enum
import functools
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from model_registry import ModelRegistryError, UnsafeModelError
from model_registry_pytorch import functions
from model_registry_pytorch.classes import ClassResolver, own_state_methods
from model_registry_pytorch.encode import MAX_NESTING

if TYPE_CHECKING:
    import torch

_NUMPY_KINDS = "biufc"


@frozen
class ValueDecoder:
    """Decodes the values of one model.

    :param tensors: The tensors by name.
    :param modules: The modules by index.
    """

    resolver: ClassResolver
    tensors: Mapping[str, torch.Tensor]
    modules: Sequence[torch.nn.Module]

    def decode(self, value: Any, nesting: int = 0) -> Any:
        """The value of its JSON.

        :raises UnsafeModelError: for a kind that does not exist, or a malformed one.
        :raises ClassNotFoundError: for a class that the process does not offer.
        """
        if nesting > MAX_NESTING:
            raise UnsafeModelError(f"module.json nests values deeper than {MAX_NESTING} levels", path="module.json")
        if isinstance(value, list):
            return [self.decode(item, nesting + 1) for item in value]
        if not isinstance(value, dict):
            return value
        kind, content = next(iter(value.items()), ("", None))
        decoder = _BY_KIND.get(kind) if len(value) == 1 else None
        if decoder is None:
            raise _refusal(sorted(value))
        try:
            return decoder(self, content, nesting + 1)
        except ModelRegistryError:
            raise
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, OverflowError) as error:
            raise _refusal(kind) from error

    def _items(self, content: Any, nesting: int) -> list[Any]:
        if not isinstance(content, list):
            raise TypeError("not a list")
        return [self.decode(item, nesting) for item in content]

    def _pairs(self, content: Any, nesting: int) -> list[tuple[Any, Any]]:
        return [(_plain_key(self.decode(key, nesting)), self.decode(item, nesting)) for key, item in content]

    def _keys(self, content: Any, nesting: int) -> list[Any]:
        return [_plain_key(item) for item in self._items(content, nesting)]

    def _numbers(self, content: Any, nesting: int) -> list[Any]:
        items = self._items(content, nesting)
        if not all(item is None or type(item) in (bool, int, float) for item in items):
            raise TypeError("not numbers")
        return items

    def _ordered_dict(self, content: Any, nesting: int) -> Any:
        result = collections.OrderedDict(self._pairs(content["items"], nesting))
        if "metadata" in content:
            result._metadata = self.decode(content["metadata"], nesting)  # type: ignore[attr-defined]
        return result

    def _defaultdict(self, content: Any, nesting: int) -> Any:
        factory = self.decode(content["factory"], nesting)
        if factory is not None and functions.BUILTIN_CLASSES.get(getattr(factory, "__name__", "")) is not factory:
            raise TypeError("the factory is no builtin class")
        return collections.defaultdict(factory, self._pairs(content["items"], nesting))

    def _partial(self, content: Any, nesting: int) -> Any:
        function = self.decode(content["function"], nesting)
        if not callable(function):
            raise TypeError("not a function")
        keywords = {str(name): self.decode(item, nesting) for name, item in content["keywords"].items()}
        return functools.partial(function, *self._items(content["args"], nesting), **keywords)

    def _module(self, content: Any, nesting: int) -> Any:
        if type(content) is not int or content < 0:
            raise TypeError("not an index")
        return self.modules[content]

    def _numpy(self, content: Any, nesting: int) -> Any:
        import numpy

        dtype = numpy.dtype(str(content["dtype"]))
        if dtype.kind not in _NUMPY_KINDS:
            raise TypeError("not a number")
        return numpy.frombuffer(base64.b64decode(content["data"]), dtype=dtype)[0]

    def _class(self, content: Any, nesting: int) -> Any:
        return self.resolver.module_class(*_identity(content)).cls

    def _function(self, content: Any, nesting: int) -> Any:
        found = functions.by_name().get(content)
        if found is None:
            raise UnsafeModelError(
                f"module.json names the function {content!r}, which records may not name",
                hint="register the model again from its source",
                path="module.json",
            )
        return found

    def _foreign_function(self, content: Any, nesting: int) -> Any:
        return self.resolver.function(*_identity(content))

    def _enum(self, content: Any, nesting: int) -> Any:
        cls = self.resolver.data_class(*_identity(content["class"])).cls
        if not issubclass(cls, enum.Enum):
            raise TypeError("not an enum")
        return cls.__members__[content["member"]]

    def _dataclass(self, content: Any, nesting: int) -> Any:
        resolved = self.resolver.data_class(*_identity(content["class"]))
        _require_inert(resolved.cls)
        declared = {field.name for field in dataclasses.fields(resolved.cls)}
        instance: Any = object.__new__(resolved.cls)
        for name, value in content["fields"].items():
            if name not in declared or _is_descriptor(resolved.cls, name):
                raise TypeError(f"{name} is no plain field")
            object.__setattr__(instance, name, self.decode(value, nesting))
        return instance


def _plain_key(key: Any) -> Any:
    """A key whose hash runs no method of a class from outside."""
    import torch

    if type(key) is tuple or type(key) is frozenset:
        for item in key:
            _plain_key(item)
        return key
    is_plain = key is None or type(key) in (bool, int, float, complex, str, bytes) or isinstance(key, torch.dtype)
    if not is_plain and not (isinstance(key, enum.Enum) and type(key).__hash__ is enum.Enum.__hash__):
        raise TypeError("not a plain key")
    return key


def _identity(content: Any) -> tuple[str, str]:
    module, qualname = content["module"], content["qualname"]
    if not isinstance(module, str) or not isinstance(qualname, str) or len(content) != 2:
        raise TypeError("not the name of a class")
    return module, qualname


def _require_inert(cls: type) -> None:
    """An instance whose class runs something when it is restored or goes away is more than data."""
    methods = own_state_methods(cls)
    if methods:
        raise UnsafeModelError(
            f"module.json holds a {cls.__qualname__}, whose {methods[0]} could run", path="module.json"
        )


def _is_descriptor(cls: type, name: str) -> bool:
    found = inspect.getattr_static(cls, name, None)
    return hasattr(type(found), "__set__") and not isinstance(found, types.MemberDescriptorType)


def _refusal(kind: Any) -> UnsafeModelError:
    return UnsafeModelError(
        f"module.json holds a malformed value of kind {kind!r}",
        hint="register the model again from its source",
        path="module.json",
    )


def _member(cls: str) -> Callable[[ValueDecoder, Any, int], Any]:
    """A decoder of constants that torch offers under a name of its own, such as ``torch.float32``."""

    def decode(decoder: ValueDecoder, content: Any, nesting: int) -> Any:
        import torch

        found = vars(torch).get(content.removeprefix("torch."))
        if not isinstance(found, getattr(torch, cls)):
            raise TypeError(f"not a {cls}")
        return found

    return decode


def _device(decoder: ValueDecoder, content: Any, nesting: int) -> Any:
    import torch

    return torch.device(str(content))


def _size(decoder: ValueDecoder, content: Any, nesting: int) -> Any:
    import torch

    return torch.Size(content)


_BY_KIND: Mapping[str, Callable[[ValueDecoder, Any, int], Any]] = {
    "dict": lambda self, content, nesting: dict(self._pairs(content, nesting)),
    "orderedDict": ValueDecoder._ordered_dict,
    "counter": lambda self, content, nesting: collections.Counter(dict(self._pairs(content, nesting))),
    "defaultdict": ValueDecoder._defaultdict,
    "tuple": lambda self, content, nesting: tuple(self._items(content, nesting)),
    "set": lambda self, content, nesting: set(self._keys(content, nesting)),
    "frozenset": lambda self, content, nesting: frozenset(self._keys(content, nesting)),
    "slice": lambda self, content, nesting: slice(*self._numbers(content, nesting)),
    "range": lambda self, content, nesting: range(*self._numbers(content, nesting)),
    "int": lambda self, content, nesting: int(content, 16),
    "float": lambda self, content, nesting: float(content),
    "complex": lambda self, content, nesting: complex(*self._numbers(content, nesting)),
    "bytes": lambda self, content, nesting: base64.b64decode(content, validate=True),
    "bytearray": lambda self, content, nesting: bytearray(base64.b64decode(content, validate=True)),
    "dtype": _member("dtype"),
    "memoryFormat": _member("memory_format"),
    "device": _device,
    "size": _size,
    "tensor": lambda self, content, nesting: self.tensors[content],
    "module": ValueDecoder._module,
    "numpy": ValueDecoder._numpy,
    "function": ValueDecoder._function,
    "foreignFunction": ValueDecoder._foreign_function,
    "builtinClass": lambda self, content, nesting: functions.BUILTIN_CLASSES[content],
    "moduleClass": ValueDecoder._class,
    "partial": ValueDecoder._partial,
    "enum": ValueDecoder._enum,
    "dataclass": ValueDecoder._dataclass,
}
