"""Making a module of torch smaller. The module that was given is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from model_registry import CompressionType, InvalidOptionError, UnsupportedModelError
from model_registry_compression import weights
from model_registry_compression.lossy.shares import rank_for, share_of

#: What has a matrix of weights, with output channels first.
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
#: Whose statistics, sums or exponentials a short type would spoil; torch's kernels take their weights in float32.
_SENSITIVE = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)
#: Weights with fewer elements than this cost more in scales and records than they save.
_FEW = 1024

Store = Callable[[torch.Tensor], "nn.Module | None"]


def compress_module(model: Any, kind: str, options: Mapping[str, Any]) -> nn.Module:
    """The module, smaller.

    :raises UnsupportedModelError: for a model that is no module, or has nothing to compress.
    """
    if not isinstance(model, nn.Module):
        raise UnsupportedModelError("the version holds tensors, and no module", hint="register the module itself")
    if kind in _TYPES:
        return cast(model, _TYPES[kind])
    store = _STORES[kind](options)
    changed = 0
    for module, name in _weights(model):
        weight = getattr(module, name)
        stored = store(weight)
        if stored is None:
            continue
        weight.requires_grad_(False)  # what is stored is no longer what would be trained
        with torch.no_grad():
            parametrize.register_parametrization(module, name, stored, unsafe=True)
        changed += 1
    if not changed:
        raise UnsupportedModelError(
            f"the model has no weight that {kind} makes smaller",
            hint=f"weights of linear and convolution layers with {_FEW} elements or more are looked at",
        )
    return model


def cast(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The floats of a module in a shorter type; those of layers that would suffer stay as they are."""
    for module in model.modules():
        if isinstance(module, _SENSITIVE):
            continue
        for parameter in module._parameters.values():
            if parameter is not None and parameter.is_floating_point():
                parameter.data = parameter.data.to(dtype)
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                module._buffers[name] = buffer.to(dtype)
    return model


def _weights(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """The weights to look at; a weight that has several owners, or is computed from others, stays as it is."""
    owners: dict[int, int] = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    for module in list(model.modules()):
        if not isinstance(module, _LAYERS) or parametrize.is_parametrized(module):
            continue
        weight = module._parameters.get("weight")
        if weight is not None and weight.is_floating_point() and weight.numel() >= _FEW and owners[id(weight)] == 1:
            yield module, "weight"


def _int8(options: Mapping[str, Any]) -> Store:
    return lambda weight: weights.Int8Weight()


def _float8(options: Mapping[str, Any]) -> Store:
    return lambda weight: weights.Float8Weight()


def _int4(options: Mapping[str, Any]) -> Store:
    block = options.get("block_size", 32)
    if type(block) is not int or block < 2 or block % 2:
        raise InvalidOptionError(
            f"block_size is {block!r}", hint="give an even number, such as 32", option="block_size"
        )
    return lambda weight: weights.Int4Weight(weight.shape, weight.dtype, block)


def _unstructured(options: Mapping[str, Any]) -> Store:
    share = share_of(options, "sparsity", 0.5)

    def store(weight: torch.Tensor) -> nn.Module | None:
        dropped = int(weight.numel() * share)
        if dropped * weight.element_size() * 8 <= weight.numel():
            return None  # the mask would cost more
        with torch.no_grad():
            order = weight.detach().abs().flatten().argsort(stable=True)
            weight.data.view(-1)[order[:dropped]] = 0
        return weights.SparseWeight(weight.shape)

    return store


def _structured(options: Mapping[str, Any]) -> Store:
    share = share_of(options, "sparsity", 0.25)

    def store(weight: torch.Tensor) -> nn.Module | None:
        dropped = int(weight.shape[0] * share)
        if not dropped:
            return None
        with torch.no_grad():
            order = weight.detach().flatten(1).norm(dim=1).argsort(stable=True)
            weight.data[order[:dropped]] = 0
        return weights.ChannelsWeight(weight.shape)

    return store


def _low_rank(options: Mapping[str, Any]) -> Store:
    rank, energy = options.get("rank"), share_of(options, "energy", 0.9)
    if rank is not None and (type(rank) is not int or rank < 1):
        raise InvalidOptionError(f"rank is {rank!r}", hint="give a natural number", option="rank")

    def store(weight: torch.Tensor) -> nn.Module | None:
        matrix = weight.detach().flatten(1).float()
        chosen = rank or rank_for(torch.linalg.svdvals(matrix), energy)
        smaller = chosen * sum(matrix.shape) < matrix.numel()
        return weights.LowRankWeight(weight.shape, chosen) if smaller else None

    return store


_TYPES: Mapping[str, torch.dtype] = {CompressionType.FP16: torch.float16, CompressionType.BF16: torch.bfloat16}
_STORES: Mapping[str, Callable[[Mapping[str, Any]], Store]] = {
    CompressionType.QUANTIZATION_INT8: _int8,
    CompressionType.QUANTIZATION_INT4: _int4,
    CompressionType.QUANTIZATION_FP8: _float8,
    CompressionType.PRUNING_UNSTRUCTURED: _unstructured,
    CompressionType.PRUNING_STRUCTURED: _structured,
    CompressionType.LOW_RANK: _low_rank,
}
