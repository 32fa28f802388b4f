"""Models of transformers with stored weights: how their configuration tells of them, and how they are loaded.

transformers calls this quantization. Importing this module makes it known there; model-registry-huggingface does, since
this distribution says in its entry points that it loads what is called so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from model_registry_compression.layers import LAYERS, StoredLayer, matrix_of, replace, weight_of
from model_registry_compression.weights import KINDS, StoredWeight

METHOD = "model_registry"
_KIND = "kind"
_NAMES = {cls: name for name, cls in KINDS.items()}


class StoredConv1D(StoredLayer, Conv1D):
    """A linear layer as GPT-2 has it: its weight lies the other way round."""

    @staticmethod
    def matrix(weight: torch.Tensor) -> torch.Tensor:
        return weight.t()

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]
        return self.stored.forward().t()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stored.linear(x, self.bias)


LAYERS[Conv1D] = StoredConv1D


@register_quantization_config(METHOD)
class StoredWeightsConfig(QuantizationConfigMixin):
    """What ``config.json`` says of them.

    :param layers: By the path of a layer in the module tree: its ``kind``, one of those of :mod:`.weights`, and facts.
    """

    def __init__(self, layers: dict[str, dict[str, Any]], **kwargs: Any) -> None:
        self.quant_method = METHOD  # type: ignore[assignment]
        self.layers = layers


@register_quantizer(METHOD)
class StoredWeightsQuantizer(HfQuantizer):
    """Puts empty stored weights in the place of layers; transformers fills them from the files."""

    quantization_config: StoredWeightsConfig
    requires_calibration = True  # it loads, and quantizes nothing itself

    def _process_model_before_weight_loading(self, model: nn.Module, **kwargs: Any) -> None:
        layers = self.quantization_config.layers
        if not isinstance(layers, Mapping):
            raise ValueError(f"quantization_config tells layers as a {type(layers).__name__}")
        for path, told in layers.items():
            layer: Any = model.get_submodule(path)
            weight = weight_of(layer)
            if weight is None:
                raise ValueError(f"quantization_config names {path!r:.80}, a layer that keeps its weight")
            with torch.device(weight.device):
                replace(layer, _empty(layer, told, matrix_of(layer, weight)))
            # Else transformers would compute the weight, to fill it with random numbers.
            layer._is_hf_initialized = True
        if layers:
            vars(model)["resize_token_embeddings"] = _keep_size

    def _process_model_after_weight_loading(self, model: nn.Module, **kwargs: Any) -> None:
        for path in self.quantization_config.layers:
            stored = model.get_submodule(f"{path}.stored")
            for name, buffer in stored.named_buffers():
                if buffer.dtype != self._dtypes(stored)[name]:
                    raise ValueError(f"{path}.stored.{name} is {buffer.dtype}")

    @staticmethod
    def _dtypes(stored: nn.Module) -> dict[str, torch.dtype]:
        """What the buffers of a stored weight have to be."""
        with torch.device("meta"):
            fresh = type(stored)(1, 2, torch.float32, **stored.facts())  # type: ignore[operator]
        return {name: buffer.dtype for name, buffer in fresh.named_buffers()}

    def is_serializable(self) -> bool:
        return True

    @property
    def is_trainable(self) -> bool:
        return False


def _empty(layer: nn.Module, told: Any, matrix: torch.Tensor) -> StoredWeight:
    """A stored weight for a layer and its matrix, to be filled.

    :raises ValueError: if what the configuration tells of it is none, or does not fit the layer.
    """
    kind = KINDS.get(str(told.get(_KIND))) if isinstance(told, Mapping) else None
    if kind is None:
        raise ValueError(f"quantization_config tells of a layer as {told!r:.80}")
    facts = {name: value for name, value in told.items() if name != _KIND}
    if not all(_is_fact(name, value, matrix.numel()) for name, value in facts.items()):
        raise ValueError(f"quantization_config tells of a layer with {facts!r:.80}")
    if isinstance(layer, nn.Embedding) and not hasattr(kind, "rows"):
        raise ValueError(f"quantization_config stores a table of embeddings as {told[_KIND]!r:.40}")
    made: StoredWeight = kind(*matrix.shape, matrix.dtype, **facts)
    return made


def _is_fact(name: str, value: Any, elements: int) -> bool:
    """Whether something can be told of a matrix of so many elements: all of them may be zero, and blocks are even."""
    return type(value) is bool or (type(value) is int and (name != "count") <= value <= elements + 1)


def _keep_size(*args: Any, **kwargs: Any) -> None:
    raise NotImplementedError("the weights are stored in fewer bytes: resize the embeddings, and compress then")


def describe_stored(model: Any) -> None:
    """Let the configuration of a model tell which of its weights are stored, and as what."""
    layers = {
        path.removesuffix(".stored"): {_KIND: _NAMES[type(module)], **module.facts()}
        for path, module in model.named_modules()
        if isinstance(module, StoredWeight)
    }
    if layers:
        model.config.quantization_config = StoredWeightsConfig(layers)
