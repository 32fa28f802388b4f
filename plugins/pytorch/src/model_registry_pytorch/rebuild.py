"""From a record and its tensors back to a model, without calling any ``__init__``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model_registry import ModelRegistryError, UnsafeModelError, UnsupportedModelError
from model_registry_pytorch.classes import ClassResolver, Resolved, own_state_methods
from model_registry_pytorch.decode import ValueDecoder
from model_registry_pytorch.modules import is_free_name
from model_registry_pytorch.record import ModuleRecord, Record, TensorRecord
from model_registry_pytorch.tensors import is_dense

if TYPE_CHECKING:
    import torch


def rebuild_tensors(
    record: Record, stored: Mapping[str, torch.Tensor], device: torch.device | None
) -> dict[str, torch.Tensor]:
    """The tensor objects of a record over the stored bytes, on the device (None: where they are).

    :raises UnsafeModelError: for a tensor without bytes, or strides that leave its memory.
    """
    moved: dict[str, torch.Tensor] = {}
    tensors: dict[str, torch.Tensor] = {}
    for name, described in record.tensors.items():
        source = described.data or name
        if source not in moved:
            if source not in stored:
                raise UnsafeModelError(f"module.json names the tensor {source!r}, which no weight file holds")
            moved[source] = _placed(stored[source], record.tensors[source], device)
        tensors[name] = _object(moved[source], described, first=source == name)
    return tensors


def _placed(tensor: torch.Tensor, described: TensorRecord, device: torch.device | None) -> torch.Tensor:
    import torch

    if described.strides is not None:
        if not is_dense(tensor.shape, described.strides):
            raise UnsafeModelError("module.json gives a tensor strides that do not fit its shape", path="module.json")
        target = torch.empty_strided(tensor.shape, described.strides, dtype=tensor.dtype, device=device)
        return target.copy_(tensor)
    return tensor if device is None else tensor.to(device)


def _object(tensor: torch.Tensor, described: TensorRecord, *, first: bool) -> torch.Tensor:
    from torch import nn

    if described.requires_grad and not (tensor.is_floating_point() or tensor.is_complex()):
        raise UnsafeModelError("module.json asks for the gradient of integers", path="module.json")
    if described.parameter:
        return nn.Parameter(tensor, described.requires_grad)
    if described.requires_grad or not first:
        return tensor.detach().requires_grad_(described.requires_grad)
    return tensor


def rebuild_value(record: Record, tensors: Mapping[str, torch.Tensor], resolver: ClassResolver) -> Any:
    """What a record of kind ``"value"`` holds."""
    return ValueDecoder(resolver, tensors, ()).decode(record.value)


def rebuild_module(record: Record, resolver: ClassResolver, load: Any) -> torch.nn.Module:
    """The module of a record.

    :param load: Gives the tensors by name. Called when all classes are found, so that a class that is missing is told
        before any weight is touched.
    """
    from model_registry_pytorch.soundness import require_sound

    resolved = [resolver.module_class(module.module, module.qualname) for module in record.modules]
    for item, described in zip(resolved, record.modules, strict=True):
        _require_safe(item, described)
    tensors: Mapping[str, torch.Tensor] = load()
    modules: list[torch.nn.Module] = [object.__new__(item.cls) for item in resolved]
    decoder = ValueDecoder(resolver, tensors, modules)
    states = [_state(described, tensors, modules, decoder) for described in record.modules]
    for module, state in zip(modules, states, strict=True):
        module.__dict__.update(state)
    for module, item, state in zip(modules, resolved, states, strict=True):
        _restore(module, item, state)
    for module, item, described in zip(modules, resolved, record.modules, strict=True):
        _parametrize(module, item, described)
    for module in modules:
        require_sound(module)
    return modules[0]


def _require_safe(resolved: Resolved, described: ModuleRecord) -> None:
    cls = resolved.cls
    methods = own_state_methods(cls)
    if methods and not resolved.vouched:
        raise UnsupportedModelError(
            f"loading a {cls.__module__}.{cls.__qualname__} runs its own {methods[0]}",
            hint=f"pass trusted_classes=[{cls.__name__}] if you trust it",
            class_name=f"{cls.__module__}.{cls.__qualname__}",
        )
    _require_sound_rnn(cls, described)
    registered = (name for name, _ in (*described.parameters, *described.buffers, *described.children))
    for name in (*registered, *described.attributes):
        if not is_free_name(cls, name):
            raise UnsafeModelError(
                f"module.json sets {name!r}, which would hide a method or internal of {cls.__qualname__}",
                hint="register the model again from its source",
                path="module.json",
            )


def _require_sound_rnn(cls: type, described: ModuleRecord) -> None:
    """Old pickles of recurrent modules had no names of weights, and torch makes as many as they ask for."""
    names = described.attributes.get("_all_weights", [["w"]])
    if not isinstance(names, list) or not all(isinstance(n, list) and n and isinstance(n[0], str) for n in names):
        raise UnsafeModelError(f"module.json does not name the weights of a {cls.__qualname__}", path="module.json")


def _state(
    described: ModuleRecord,
    tensors: Mapping[str, torch.Tensor],
    modules: list[torch.nn.Module],
    decoder: ValueDecoder,
) -> dict[str, Any]:
    from torch import nn

    state = dict(vars(nn.Module()))
    state["training"] = described.training
    state["_parameters"].update((name, None if key is None else tensors[key]) for name, key in described.parameters)
    state["_buffers"].update((name, None if key is None else tensors[key]) for name, key in described.buffers)
    state["_non_persistent_buffers_set"].update(described.transient)
    state["_modules"].update((name, None if index is None else modules[index]) for name, index in described.children)
    state.update((name, decoder.decode(value)) for name, value in described.attributes.items())
    return state


def _restore(module: torch.nn.Module, resolved: Resolved, state: dict[str, Any]) -> None:
    """Let the class see its state, as unpickling would: torch.nn adds what older versions of a module lacked."""
    from torch import nn

    if inspect.getattr_static(resolved.cls, "__setstate__") is vars(nn.Module)["__setstate__"]:
        return
    try:
        module.__setstate__(state)  # type: ignore[no-untyped-call]
    except ModelRegistryError:
        raise
    except Exception as error:
        raise UnsafeModelError(
            f"module.json does not hold the state of a {resolved.cls.__qualname__}: {error}", path="module.json"
        ) from error


def _parametrize(module: torch.nn.Module, resolved: Resolved, described: ModuleRecord) -> None:
    """Put the computed tensors in place as ``register_parametrization`` does, but around the stored originals.

    It would compute the originals from the values, which is not exact.
    """
    from torch import nn
    from torch.nn.utils import parametrize

    if not described.parametrized:
        return
    if not resolved.vouched and _notices_subclasses(resolved.cls):
        raise UnsafeModelError(
            f"parametrizing a {resolved.cls.__qualname__} makes a subclass of it, which runs code of its own",
            hint=f"pass trusted_classes=[{resolved.cls.__name__}] if you trust it",
            class_name=resolved.cls.__qualname__,
        )
    lists = module._modules.get("parametrizations")
    if not isinstance(lists, nn.ModuleDict) or set(lists.keys()) != set(described.parametrized):
        raise UnsafeModelError(
            f"module.json does not say how a {described.qualname} is parametrized", path="module.json"
        )
    taken = {*vars(module), *module._parameters, *module._buffers, *module._modules}
    if not all(is_free_name(type(module), name) and name not in taken for name in described.parametrized):
        raise UnsafeModelError(f"module.json parametrizes a method of {described.qualname}", path="module.json")
    parametrize._inject_new_class(module)
    for name in described.parametrized:
        parametrize._inject_property(module, name)


def _notices_subclasses(cls: type) -> bool:
    """Whether a class, or its metaclass, runs something when a subclass is made."""
    owner = next(base for base in cls.__mro__ if "__init_subclass__" in vars(base))
    return owner is not object or type(cls) is not type
