"""What a module may be to be stored, and which names in it are torch's own. Shared by capturing and rebuilding."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from model_registry import UnsupportedModelError
from model_registry_pytorch.classes import in_torch_nn, own_state_methods
from model_registry_pytorch.options import PyTorchOptions

if TYPE_CHECKING:
    import torch

#: Classes of torch that wrap or generate modules, by where they live, and what to register instead.
_WRAPPERS = {
    "torch.jit": 'register it with model_format="torchscript", or register the module it was made from',
    "torch._dynamo": "it is the result of torch.compile: register model._orig_mod",
    "torch.nn.parallel": "it wraps a model for parallel training: register model.module",
    "torch.distributed": "it wraps a model for distributed training: gather it and register the model inside",
    "torch.fx": "it is code that torch.fx generated: register the module it was traced from",
}
#: Set by Module.compile(), which changes speed and not results. torch leaves it out of pickles, too.
COMPILED = "_compiled_call_impl"
#: A hook that weight_norm sets so that old state dicts load; models work without.
_HARMLESS_HOOKS = frozenset({"_weight_norm_compat_hook"})


@functools.cache
def base_state() -> frozenset[str]:
    """The instance attributes that every module has."""
    from torch import nn

    return frozenset(vars(nn.Module()))


def original_class(module: torch.nn.Module) -> type:
    """The class of a module, without the one that a parametrization generates in front of it."""
    from torch.nn.utils import parametrize

    cls = type(module)
    return cls.__mro__[1] if parametrize.is_parametrized(module) else cls


def require_storable(module: torch.nn.Module, cls: type, path: str, options: PyTorchOptions) -> None:
    """Raise UnsupportedModelError unless a module's class leaves all there is to store in ``__dict__``."""
    where = f"the module {path!r}" if path else "the model"
    for base in cls.__mro__:
        for home, advice in _WRAPPERS.items():
            if base.__module__ == home or base.__module__.startswith(f"{home}."):
                raise UnsupportedModelError(f"{where} is a {cls.__name__}", hint=advice, module=path)
        if vars(base).get("__slots__") and base is not object:
            raise UnsupportedModelError(
                f"{where} is a {cls.__name__}, which keeps state in __slots__", hint="use plain attributes", module=path
            )
    _require_known_home(cls, where, path, options)
    _require_no_hooks(module, where, path)


def _require_known_home(cls: type, where: str, path: str, options: PyTorchOptions) -> None:
    home, _, _ = cls.__module__.partition(".")
    if in_torch_nn(cls.__module__) or options.trusts(cls.__module__):
        return
    methods = own_state_methods(cls)
    if home != "torch" and not methods:
        return
    problem = f"brings its own {methods[0]}" if methods else "is not one of torch.nn"
    raise UnsupportedModelError(
        f"{where} is a {cls.__module__}.{cls.__qualname__}, which {problem}",
        hint=f'add "{cls.__module__}" to trusted_modules under [plugins.pytorch], or register model.state_dict()',
        module=path,
    )


def _require_no_hooks(module: torch.nn.Module, where: str, path: str) -> None:
    for name, hooks in vars(module).items():
        if name not in base_state() or "hook" not in name or not isinstance(hooks, dict):
            continue
        for hook in hooks.values():
            label = _hook_label(hook)
            if label.rpartition(".")[2] in _HARMLESS_HOOKS:
                continue
            raise UnsupportedModelError(
                f"{where} has a hook in {name}: {label}, and hooks are code",
                hint=_hook_advice(hook),
                module=path,
                hook=label,
            )


def _hook_label(hook: Any) -> str:
    function = getattr(hook, "hook", hook)
    function = function[0] if isinstance(function, tuple) else function
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _hook_advice(hook: Any) -> str:
    if type(hook).__module__.startswith("torch.nn.utils."):
        return "the old-style weight_norm and spectral_norm are hooks: use torch.nn.utils.parametrizations"
    return "call handle.remove() before registering, and add it again after loading"


def state_of(module: torch.nn.Module, cls: type) -> dict[str, Any]:
    """What there is to store of a module: its ``__dict__``, or what a ``__getstate__`` of its class makes of it."""
    getstate = inspect.getattr_static(cls, "__getstate__", None)
    if getstate is None or getstate is vars(object).get("__getstate__"):
        return dict(vars(module))
    state = getstate(module)
    return dict(state)


def is_free_name(cls: type, name: str) -> bool:
    """Whether an instance may have an attribute of this name without hiding a method or something of torch's own."""
    from torch import nn

    if name in base_state() or name in vars(nn.Module) or (name.startswith("__") and name.endswith("__")):
        return False
    hidden = inspect.getattr_static(cls, name, None)
    return not callable(hidden) and not hasattr(type(hidden), "__get__")
