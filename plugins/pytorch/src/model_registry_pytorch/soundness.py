"""Modules whose kernels believe what the module says of its weights: a lie makes them read beyond the memory."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from model_registry import UnsafeModelError

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_MODES = {nn.LSTM: ("LSTM",), nn.GRU: ("GRU",), nn.RNN: ("RNN_TANH", "RNN_RELU")}


def require_sound(module: nn.Module) -> None:
    """:raises UnsafeModelError: if the weights of a recurrent or attention module are not those that it tells of."""
    if isinstance(module, nn.RNNBase):
        problem = next(_recurrent(module), None)
    elif isinstance(module, nn.MultiheadAttention):
        problem = next(_attention(module), None)
    else:
        return
    if problem:
        raise UnsafeModelError(
            f"module.json does not describe the weights of a {type(module).__qualname__}: {problem}",
            hint="register the model again from its source",
            path="module.json",
        )


def _recurrent(module: nn.RNNBase) -> Iterator[str]:
    numbers = {name: vars(module).get(name, 0) for name in ("input_size", "hidden_size", "num_layers", "proj_size")}
    if not all(type(number) is int and number >= (name != "proj_size") for name, number in numbers.items()):
        yield f"its sizes are {numbers}"
        return
    mode = vars(module).get("mode")
    if mode not in _GATES or any(isinstance(module, cls) and mode not in modes for cls, modes in _MODES.items()):
        yield f"its mode is {mode!r:.40}"
        return
    dtypes = set()
    expected = list(_weights(module, _GATES[mode], **numbers))
    for name, shape in expected:
        found = getattr(module, name, None)
        if not isinstance(found, torch.Tensor) or found.shape != shape:
            yield f"{name} should have the shape {list(shape)}"
            return
        dtypes.add(found.dtype)
    if len(dtypes) > 1:
        yield "they have several types"
    if vars(module).get("_flat_weights_names") != [name for name, _ in expected]:
        yield "it names others"
        return
    module._init_flat_weights()  # the kernels get what was looked at, and nothing else


def _weights(
    module: nn.RNNBase, gates: int, input_size: int, hidden_size: int, num_layers: int, proj_size: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The names and shapes of the weights, as torch makes them."""
    directions = ("", "_reverse") if module.bidirectional else ("",)
    given, rows = proj_size or hidden_size, gates * hidden_size
    for layer in range(num_layers):
        columns = input_size if layer == 0 else given * len(directions)
        for direction in directions:
            end = f"l{layer}{direction}"
            yield f"weight_ih_{end}", (rows, columns)
            yield f"weight_hh_{end}", (rows, given)
            if module.bias:
                yield f"bias_ih_{end}", (rows,)
                yield f"bias_hh_{end}", (rows,)
            if proj_size:
                yield f"weight_hr_{end}", (proj_size, hidden_size)


def _attention(module: nn.MultiheadAttention) -> Iterator[str]:
    heads, size, each = (_number(vars(module).get(name)) for name in ("num_heads", "embed_dim", "head_dim"))
    if heads < 1 or size < 1 or heads * each != size:
        yield f"{heads} heads of {each}, in {size} dimensions"
        return
    out = module._modules.get("out_proj")
    if out is None:
        yield "it has no out_proj"
        return
    bias = _tensor(module, "in_proj_bias")
    if bias is not None and bias.shape != (3 * size,):
        yield f"in_proj_bias should have the shape {[3 * size]}"
    for owner, names in ((module, ("in_proj_weight", "in_proj_bias")), (out, ("weight", "bias"))):
        if len({tensor.dtype for name in names if (tensor := _tensor(owner, name)) is not None}) > 1:
            yield f"{names[0]} and {names[1]} have different types"


def _number(value: Any) -> int:
    """A whole number, of Python or of numpy; -1 for anything else."""
    try:
        return -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return -1


def _tensor(owner: nn.Module, name: str) -> torch.Tensor | None:
    """What the kernels are given by this name, wherever the module keeps it."""
    if hasattr(type(owner), name) and not parametrize.is_parametrized(owner, name):
        return None  # a property, of a class that looks itself
    found = getattr(owner, name, None)
    return found if isinstance(found, torch.Tensor) else None
