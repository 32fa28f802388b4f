"""Models of transformers with stored weights: how their configuration tells of them, and how they are loaded.

transformers calls this quantization. Importing this module makes it known there; model-registry-huggingface does, since
this distribution says in its entry points that it loads what is called so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from model_registry_compression.layers import LAYERS, _Stored, matrix_of, replace, weight_of
from model_registry_compression.weights import KINDS, StoredWeight

METHOD = "model_registry"
_KIND = "kind"
_NAMES = {cls: name for name, cls in KINDS.items()}


class StoredConv1D(_Stored, Conv1D):
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
        for path, told in self.quantization_config.layers.items():
            layer = model.get_submodule(path)
            weight = weight_of(layer)
            if weight is None:
                raise ValueError(f"quantization_config names {path!r:.80}, a layer that keeps its weight")
            facts = {name: value for name, value in told.items() if name != _KIND}
            with torch.device(weight.device):
                replace(layer, KINDS[told[_KIND]](*matrix_of(layer, weight).shape, weight.dtype, **facts))

    def is_serializable(self) -> bool:
        return True

    @property
    def is_trainable(self) -> bool:
        return False


def describe_stored(model: Any) -> None:
    """Let the configuration of a model tell which of its weights are stored, and as what."""
    layers = {
        path.removesuffix(".stored"): {_KIND: _NAMES[type(module)], **module.facts()}
        for path, module in model.named_modules()
        if isinstance(module, StoredWeight)
    }
    if layers:
        model.config.quantization_config = StoredWeightsConfig(layers)
