"""Ways to quantize that other distributions know how to load, found by an entry point of the name of the way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from model_registry import PluginLoadError

if TYPE_CHECKING:
    from torch import nn

GROUP = "model_registry.quantizers"
_KEY = "quantization_config"
#: The distribution of this project that quantizes, by the name of its way.
_OURS = {"model_registry": "model-registry-compression[huggingface]"}


def introduce(config: Mapping[str, Any]) -> None:
    """Make the way in which a model is quantized known to transformers.

    :raises PluginLoadError: if nothing installed knows it: transformers would load something else, and only warn.
    """
    method = _method(config)
    if method is None:
        return
    for point in entry_points(group=GROUP, name=method):
        point.load()
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    if method not in AUTO_QUANTIZATION_CONFIG_MAPPING:
        raise PluginLoadError(
            f"the model is quantized by {method!r:.80}, which nothing that is installed knows",
            hint=f"pip install {_OURS[method]}" if method in _OURS else "install what quantized it",
        )


def replace_layers(skeleton: nn.Module, config: Mapping[str, Any]) -> None:
    """Let a model without memory for its weights have those layers that it will be loaded with."""
    method = _method(config)
    if method is None or not entry_points(group=GROUP, name=method):
        return  # those of transformers ask for devices; their weights are packed into fewer elements
    from transformers.quantizers.auto import AutoHfQuantizer

    quantizer = AutoHfQuantizer.from_config(dict(config[_KEY]), pre_quantized=True)
    quantizer.preprocess_model(model=skeleton)


def _method(config: Mapping[str, Any]) -> str | None:
    told = config.get(_KEY)
    method = told.get("quant_method") if isinstance(told, Mapping) else None
    return method if isinstance(method, str) and method else None
