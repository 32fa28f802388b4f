"""Running a module to compare what it computes: what it takes, and what it gives, by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from model_registry import (
    Inputs,
    InputSpec,
    LoadRequest,
    Runner,
    UnsupportedModelError,
    VersionFiles,
    read_example_inputs,
)
from model_registry_pytorch.load import load_pytorch
from model_registry_pytorch.options import PyTorchOptions

if TYPE_CHECKING:
    import torch

_BATCH = "batch"


def load_module(request: LoadRequest, files: VersionFiles, options: PyTorchOptions) -> torch.nn.Module:
    """The module, in evaluation mode.

    :raises UnsupportedModelError: for a version that holds tensors and no module.
    """
    from torch import nn

    model = load_pytorch(evolve(request, options={}), files, options).model
    if not isinstance(model, nn.Module):
        raise UnsupportedModelError(
            "the version holds tensors, and no module that could be run", hint="register the module itself"
        )
    return model.eval()


def read_signature(request: LoadRequest, files: VersionFiles, options: PyTorchOptions) -> list[InputSpec] | None:
    """What the module takes, by the inputs that are stored with it, or by ``input_shape``; None if neither tells.

    The first dimension of each input is the batch. Other sizes may be any where ``input_shape`` has a name for them.
    """
    return specs_of(load_module(request, files, options), request, files)


def specs_of(model: torch.nn.Module, request: LoadRequest, files: VersionFiles) -> list[InputSpec] | None:
    """The same, of a module that is loaded already."""
    stored, shape = read_example_inputs(files), request.metadata.input_shape
    if stored is None:
        return None if shape is None else [InputSpec(_names(model, 1)[0], "float32", (_BATCH, *map(_size, shape)))]
    names = _names(model, len(stored)) if all(name.isdigit() for name in stored) else list(stored)
    sizes = [_sizes(array.shape, shape if len(stored) == 1 else None) for array in stored.values()]
    return [InputSpec(name, array.dtype, dims) for name, array, dims in zip(names, stored.values(), sizes, strict=True)]


def _sizes(example: tuple[int, ...], said: Any) -> tuple[int | str, ...]:
    """The sizes of an example, with the names that were said of them."""
    if not example:
        return ()
    known = [_size(size) for size in said or ()]
    rest = known if len(known) == len(example) - 1 else example[1:]
    return (_BATCH, *rest)


def _size(size: Any) -> int | str:
    return size if isinstance(size, int) and size > 0 else str(size or "size")


def _names(model: torch.nn.Module, count: int) -> list[str]:
    """The names of the first parameters of ``forward``."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [name for name, item in inspect.signature(model.forward).parameters.items() if item.kind in kinds]
    return [*found[:count], *(f"input_{number}" for number in range(len(found), count))]


def make_runner(request: LoadRequest, files: VersionFiles, options: PyTorchOptions) -> Runner:
    """The module of these files, ready to be compared."""
    import torch

    model = load_module(request, files, options)
    dtype = dtype_of(model)

    def run(inputs: Inputs) -> Mapping[str, Any]:
        with torch.no_grad():
            return {name: _array(tensor) for name, tensor in call(model, tensors_from(inputs, dtype)).items()}

    return Runner(run, str(dtype).removeprefix("torch."))


def dtype_of(model: torch.nn.Module) -> torch.dtype:
    """The type of the module's weights."""
    import torch

    return next((item.dtype for item in model.parameters() if item.is_floating_point()), torch.float32)


def tensors_from(inputs: Inputs, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Inputs as tensors, those that are no whole numbers in the type of the weights."""
    import numpy
    import torch

    tensors = {name: torch.from_numpy(numpy.array(array)) for name, array in inputs.items()}
    return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def call(model: torch.nn.Module, given: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The outputs of a module by name; its inputs go by name where it has them, else in their order."""
    known = inspect.signature(model.forward).parameters
    output = model(**given) if all(name in known for name in given) else model(*given.values())
    return dict(_named(output, ""))


def _named(output: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    import torch

    if isinstance(output, torch.Tensor):
        yield name or "output", output
        return
    items = output.items() if isinstance(output, Mapping) else enumerate(output) if _is_list(output) else ()
    for key, item in items:
        yield from _named(item, f"{name}_{key}" if name else key if isinstance(key, str) else f"output_{key}")


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _array(tensor: torch.Tensor) -> Any:
    """As an array of NumPy, which has no bfloat16."""
    import torch

    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
