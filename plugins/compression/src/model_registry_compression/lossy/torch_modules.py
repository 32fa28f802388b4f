"""Making a module of torch smaller. The module that was given is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from model_registry import CompressionType, InvalidOptionError, UnsupportedModelError
from model_registry_compression.layers import matrix_of, replace, weight_of
from model_registry_compression.lossy.calibration import greatest_inputs
from model_registry_compression.lossy.shares import rank_for, rank_of, share_of
from model_registry_compression.weights import LowRankWeight, StoredWeight, store

#: Whose statistics a short type would spoil; torch's kernels take them beside short inputs. Those of other norms have
#: the type of their inputs, and sum in float32.
_SENSITIVE = (nn.modules.batchnorm._BatchNorm,)
#: Weights with fewer elements than this cost more in scales and records than they save.
_FEW = 1024

#: What a matrix is stored as; None if that is not smaller.
Store = Callable[[nn.Module, torch.Tensor], "StoredWeight | None"]


def compress_module(model: Any, kind: str, options: Mapping[str, Any]) -> nn.Module:
    """The module, smaller.

    :raises UnsupportedModelError: for a model that is no module, or has nothing to compress.
    """
    if not isinstance(model, nn.Module):
        raise UnsupportedModelError("the version holds tensors, and no module", hint="register the module itself")
    if kind in _TYPES:
        return cast(model, _TYPES[kind])
    stored_as = _STORES[kind](model, options)
    changed = 0
    for layer, weight in _weights(model):
        stored = stored_as(layer, matrix_of(layer, weight))
        if stored is not None:
            replace(layer, stored)
            changed += 1
    if not changed:
        raise UnsupportedModelError(
            f"the model has no weight that {kind} makes smaller",
            hint=f"weights of linear, convolution, embedding and attention layers with {_FEW} elements are looked at",
        )
    return model


def cast(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The floats of a module in a shorter type; those of layers that would suffer stay as they are."""
    made: dict[int, torch.Tensor] = {}  # several modules may have one tensor
    for module in model.modules():
        kept = torch.float32 if isinstance(module, _SENSITIVE) else dtype
        if isinstance(module, StoredWeight):
            module.to(dtype)
            continue
        for parameter in module._parameters.values():
            if parameter is not None and parameter.is_floating_point():
                parameter.data = parameter.data.to(kept)
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                module._buffers[name] = made.setdefault(id(buffer), buffer.to(kept))
    return model


def _weights(model: nn.Module) -> Iterator[tuple[nn.Module, torch.Tensor]]:
    """The layers to look at, with their weights; a weight that several layers have stays as it is."""
    owners: dict[int, int] = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    for module in list(model.modules()):
        weight = weight_of(module)
        if weight is None or not weight.is_floating_point() or weight.numel() < _FEW or owners[id(weight)] > 1:
            continue
        yield module, weight


def _int8(model: nn.Module, options: Mapping[str, Any]) -> Store:
    weight_only, calibration = options.get("weight_only", False), options.get("calibration")
    if not isinstance(weight_only, bool):
        raise InvalidOptionError(f"weight_only is {weight_only!r}", hint="give True or False", option="weight_only")
    greatest = {} if calibration is None else greatest_inputs(model, calibration)

    def stored(layer: nn.Module, matrix: torch.Tensor) -> StoredWeight:
        seen = greatest.get(layer)
        made = store("int8", matrix, products=not weight_only, static=seen is not None)
        if seen is not None:
            made.input_scale = seen / 127
        return made

    return stored


def _float8(model: nn.Module, options: Mapping[str, Any]) -> Store:
    return lambda layer, matrix: store("float8", matrix)


def _int4(model: nn.Module, options: Mapping[str, Any]) -> Store:
    block = options.get("block_size", 32)
    if type(block) is not int or block < 2 or block % 2:
        raise InvalidOptionError(
            f"block_size is {block!r}", hint="give an even number, such as 32", option="block_size"
        )
    return lambda layer, matrix: store("int4", matrix, block=min(block, matrix.shape[1] + matrix.shape[1] % 2))


def _unstructured(model: nn.Module, options: Mapping[str, Any]) -> Store:
    share = share_of(options, "sparsity", 0.5)

    def stored(layer: nn.Module, matrix: torch.Tensor) -> StoredWeight | None:
        dropped = int(matrix.numel() * share)
        if isinstance(layer, nn.Embedding) or dropped * matrix.element_size() * 8 <= matrix.numel():
            return None  # the mask would cost more
        pruned = matrix.detach().clone(memory_format=torch.contiguous_format)
        pruned.view(-1)[pruned.abs().flatten().argsort(stable=True)[:dropped]] = 0
        return store("sparse", pruned.requires_grad_(matrix.requires_grad), count=0)

    return stored


def _structured(model: nn.Module, options: Mapping[str, Any]) -> Store:
    share = share_of(options, "sparsity", 0.25)

    def stored(layer: nn.Module, matrix: torch.Tensor) -> StoredWeight | None:
        dropped = int(matrix.shape[0] * share)
        if isinstance(layer, nn.Embedding) or not dropped:
            return None
        pruned = matrix.detach().clone(memory_format=torch.contiguous_format)
        pruned[pruned.norm(dim=1).argsort(stable=True)[:dropped]] = 0
        return store("channels", pruned.requires_grad_(matrix.requires_grad), count=0)

    return stored


def _low_rank(model: nn.Module, options: Mapping[str, Any]) -> Store:
    rank, energy = rank_of(options), share_of(options, "energy", 0.9)

    def stored(layer: nn.Module, matrix: torch.Tensor) -> StoredWeight | None:
        if isinstance(layer, nn.Embedding):
            return None
        parts = torch.linalg.svd(matrix.detach().float(), full_matrices=False)
        chosen = rank or rank_for(parts[1], energy)
        if chosen * sum(matrix.shape) >= matrix.numel():
            return None
        rows, columns = matrix.shape
        made = LowRankWeight(rows, columns, matrix.dtype, chosen)
        made.fill_from(parts, matrix)
        return made

    return stored


_TYPES: Mapping[str, torch.dtype] = {CompressionType.FP16: torch.float16, CompressionType.BF16: torch.bfloat16}
_STORES: Mapping[str, Callable[[nn.Module, Mapping[str, Any]], Store]] = {
    CompressionType.QUANTIZATION_INT8: _int8,
    CompressionType.QUANTIZATION_INT4: _int4,
    CompressionType.QUANTIZATION_FP8: _float8,
    CompressionType.PRUNING_UNSTRUCTURED: _unstructured,
    CompressionType.PRUNING_STRUCTURED: _structured,
    CompressionType.LOW_RANK: _low_rank,
}
