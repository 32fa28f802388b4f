"""Layers of torch that compute with a weight in fewer bytes. Whoever asks one for its ``weight`` gets all of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from model_registry_compression.weights import StoredWeight


class StoredLayer(nn.Module):
    """A layer whose weight is kept as something else."""

    stored: StoredWeight

    @staticmethod
    def matrix(weight: torch.Tensor) -> torch.Tensor:
        """A weight of such a layer as a matrix, whose rows are what it gives."""
        return weight.flatten(1)


class StoredLinear(StoredLayer, nn.Linear):
    """A linear layer."""

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]
        return self.stored.forward()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.stored.linear(input, self.bias)


class StoredEmbedding(StoredLayer, nn.Embedding):
    """A table of embeddings, of which only the rows that are asked for are computed."""

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]
        return self.stored.forward()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.stored.rows(input)  # type: ignore[operator]
        return found


class _StoredConvolution(StoredLayer, nn.modules.conv._ConvNd):
    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]
        return self.stored.forward().view(self.out_channels, self.in_channels // self.groups, *self.kernel_size)


class StoredConv1d(_StoredConvolution, nn.Conv1d):
    """A convolution over one dimension."""


class StoredConv2d(_StoredConvolution, nn.Conv2d):
    """A convolution over two dimensions."""


class StoredConv3d(_StoredConvolution, nn.Conv3d):
    """A convolution over three dimensions."""


class StoredAttention(StoredLayer, nn.MultiheadAttention):
    """Attention, of whose inputs one matrix makes queries, keys and values."""

    @property
    def in_proj_weight(self) -> torch.Tensor:  # type: ignore[override]
        weight, bias = self.stored.forward(), self.in_proj_bias
        if bias is not None and bias.dtype != weight.dtype:  # the kernels do not look, and read beyond it
            raise TypeError(f"in_proj_weight is {weight.dtype}, and in_proj_bias {bias.dtype}")
        return weight


#: What stands in for a layer. A subclass of one may do anything with its weight, so only these are replaced.
LAYERS: dict[type[nn.Module], type[StoredLayer]] = {
    nn.Linear: StoredLinear,
    NonDynamicallyQuantizableLinear: StoredLinear,
    nn.Embedding: StoredEmbedding,
    nn.Conv1d: StoredConv1d,
    nn.Conv2d: StoredConv2d,
    nn.Conv3d: StoredConv3d,
    nn.MultiheadAttention: StoredAttention,
}


def weight_of(layer: nn.Module) -> torch.Tensor | None:
    """The weight that could be stored in fewer bytes; None for a layer that has none such."""
    if type(layer).__module__ == "transformers.pytorch_utils":
        import_module("model_registry_compression.huggingface")  # which knows what stands in for such layers
    if type(layer) not in LAYERS or (isinstance(layer, nn.Embedding) and layer.max_norm is not None):
        return None
    return layer._parameters.get(_name(layer))


def is_linear(layer: nn.Module) -> bool:
    """Whether what stands in for a layer multiplies its inputs with what is stored."""
    return weight_of(layer) is not None and not isinstance(
        layer, (nn.Embedding, nn.MultiheadAttention, nn.modules.conv._ConvNd)
    )


def matrix_of(layer: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """The weight of a layer as a matrix, whose rows are what the layer gives."""
    return LAYERS[type(layer)].matrix(weight)


def replace(layer: nn.Module, stored: StoredWeight) -> None:
    """Let a layer compute with what is stored."""
    del layer._parameters[_name(layer)]
    replaced: Any = layer
    replaced.__class__ = LAYERS[type(layer)]
    replaced.stored = stored


def _name(layer: nn.Module) -> str:
    return "in_proj_weight" if isinstance(layer, nn.MultiheadAttention) else "weight"
