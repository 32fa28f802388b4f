"""Finding the classes that a record names: by identity, never by importing a string that nobody vouched for.

In this order a class is taken from: ``trusted_classes=`` under its full name; ``torch.nn``; the packages of
``trusted_modules``, imported when needed; what the process has imported already, if it subclasses ``nn.Module`` (or is
inert data: an enum or dataclass); ``trusted_classes=`` under its short name, for classes that moved; and, only if the
user allowed code for this load, any import.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from model_registry import ClassNotFoundError, InvalidOptionError
from model_registry_pytorch.options import PyTorchOptions

#: Methods by which a class takes part in being stored and restored, or runs when an instance goes away.
STATE_METHODS = ("__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__del__")


def in_torch_nn(module: str) -> bool:
    """Whether a module is part of ``torch.nn``, other than its wrappers for parallel training."""
    return (module == "torch.nn" or module.startswith("torch.nn.")) and not module.startswith("torch.nn.parallel")


def walk(module: str, qualname: str) -> Any:
    """What an imported module holds under a dotted name, or None. Runs no ``__getattr__`` and imports nothing."""
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        if not isinstance(found, types.ModuleType | type):
            return None
        found = vars(found).get(part)
    return found


def own_state_methods(cls: type) -> list[str]:
    """Which of STATE_METHODS a class has from elsewhere than Python and ``torch.nn``, as ``Class.method``."""
    found = []
    for method in STATE_METHODS:
        owner = next((base for base in cls.__mro__ if method in vars(base)), object)
        generated = getattr(vars(owner).get(method), "__module__", "") == "dataclasses"  # of slotted, frozen ones
        if owner.__module__ != "builtins" and not in_torch_nn(owner.__module__) and not generated:
            found.append(f"{owner.__qualname__}.{method}")
    return found


@frozen
class Resolved:
    """A class, and whether the user or ``torch.nn`` vouches for its methods."""

    cls: type
    vouched: bool


@frozen
class ClassResolver:
    """Looks classes up for one load."""

    options: PyTorchOptions
    given: Mapping[str, type] = field(factory=dict)
    code_allowed: bool = False

    @classmethod
    def create(cls, options: PyTorchOptions, trusted_classes: Any, code_allowed: bool) -> ClassResolver:
        """:param trusted_classes: A list of classes, or a mapping of recorded names to classes, or None."""
        return cls(options, dict(_name_given(trusted_classes)), code_allowed)

    def module_class(self, module: str, qualname: str) -> Resolved:
        """The class of a stored module; a subclass of ``nn.Module``.

        :raises ClassNotFoundError: naming the class and the ways out.
        """
        from torch import nn

        for resolved in self._candidates(module, qualname):
            if isinstance(resolved.cls, type) and issubclass(resolved.cls, nn.Module):
                return resolved
        raise self._not_found(module, qualname)

    def data_class(self, module: str, qualname: str) -> Resolved:
        """The class of an enum member or dataclass instance.

        :raises ClassNotFoundError: naming the class and the ways out.
        """
        for resolved in self._candidates(module, qualname):
            if is_data_class(resolved.cls):
                return resolved
        raise self._not_found(module, qualname)

    def function(self, module: str, qualname: str) -> Any:
        """A function of a trusted module.

        :raises ClassNotFoundError: naming the function and the ways out.
        """
        if self.options.names(module) or self.code_allowed:
            self._import(module, qualname)
            found = walk(module, qualname)
            if isinstance(found, types.FunctionType) and found.__module__ == module:
                return found
        raise ClassNotFoundError(
            f"the model uses the function {module}.{qualname}, which is neither torch's nor of a trusted module",
            hint=f'add "{module.partition(".")[0]}" to trusted_modules under [plugins.pytorch]',
            class_name=f"{module}.{qualname}",
        )

    def _candidates(self, module: str, qualname: str) -> Iterator[Resolved]:
        full = f"{module}.{qualname}"
        if full in self.given:
            yield Resolved(self.given[full], vouched=True)
        vouched = in_torch_nn(module) or self.options.trusts(module)
        if vouched:
            self._import(module, qualname)
        if vouched or module.partition(".")[0] != "torch":
            yield from self._imported(module, qualname, vouched)
        for short in (qualname, qualname.rpartition(".")[2]):
            if short in self.given:
                yield Resolved(self.given[short], vouched=True)
        if self.code_allowed:
            self._import(module, qualname)
            yield from self._imported(module, qualname, vouched=True)

    def _imported(self, module: str, qualname: str, vouched: bool) -> Iterator[Resolved]:
        found = walk(module, qualname)
        if isinstance(found, type) and (found.__module__, found.__qualname__) == (module, qualname):
            yield Resolved(found, vouched)

    def _import(self, module: str, qualname: str) -> None:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise ClassNotFoundError(
                f"importing {module}, which has the model's {qualname}, failed: {error}",
                hint="install what it needs, or make it importable",
                class_name=f"{module}.{qualname}",
            ) from error

    def _not_found(self, module: str, qualname: str) -> ClassNotFoundError:
        name = qualname.rpartition(".")[2]
        ways = [f"pass trusted_classes=[{name}]"]
        if module != "__main__" and "<locals>" not in qualname:
            ways.insert(0, f"import {module} before loading")
            ways.append(f'add "{module.partition(".")[0]}" to trusted_modules under [plugins.pytorch]')
        ways.append('load with as_="state_dict" to get the weights alone')
        ways.append('load with as_="program" if the model was registered with keep_program=True')
        return ClassNotFoundError(
            f"this process has no class {module}.{qualname}, which the model is made of",
            hint=", or ".join(ways),
            class_name=f"{module}.{qualname}",
        )


def is_data_class(cls: Any) -> bool:
    """Whether a class is an enum or a dataclass."""
    return isinstance(cls, type) and (issubclass(cls, enum.Enum) or dataclasses.is_dataclass(cls))


def _name_given(trusted: Any) -> Iterator[tuple[str, type]]:
    """Each name under which a given class may be asked for; short names only where they are unique."""
    if isinstance(trusted, Mapping):
        _require_classes(trusted.values())
        yield from trusted.items()
        return
    classes: list[type] = list(dict.fromkeys(trusted or ()))
    _require_classes(classes)
    shorts = [cls.__qualname__ for cls in classes] + [
        cls.__name__ for cls in classes if cls.__name__ != cls.__qualname__
    ]
    for cls in classes:
        for short in {cls.__name__, cls.__qualname__}:
            if shorts.count(short) == 1:
                yield short, cls
        yield f"{cls.__module__}.{cls.__qualname__}", cls


def _require_classes(given: Iterable[Any]) -> None:
    for item in given:
        if not isinstance(item, type):
            raise InvalidOptionError(
                f"trusted_classes holds {item!r}, which is no class",
                hint="give a list of classes, or a mapping of recorded names to classes",
                option="trusted_classes",
            )
