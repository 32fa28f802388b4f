"""Ways to quantize that other distributions know how to load, found by an entry point of the name of the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from model_registry import PluginLoadError, UnsafeModelError
from model_registry_huggingface.layout import CONFIG

if TYPE_CHECKING:
    from torch import nn

GROUP = "model_registry.quantizers"
_KEY = "quantization_config"
_DEEPEST = 16
_AGAIN = "get the model again from its source"
#: The distribution of this project that quantizes, by the name of its way.
_OURS = {"model_registry": "model-registry-compression[huggingface]"}


def introduce(config: Mapping[str, Any]) -> None:
    """Make the way in which a model is quantized known to transformers.

    :raises PluginLoadError: if nothing installed knows it: transformers would load something else, and only warn.
    """
    methods = list(_methods(config, 0))
    for depth, method in methods:
        points = entry_points(group=GROUP, name=method)
        if points and depth:
            raise UnsafeModelError(
                f"{CONFIG} has its quantization_config inside another part", hint=_AGAIN, path=CONFIG
            )
        for point in points:
            point.load()
    if not methods:
        return
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    for _, method in methods:
        if method not in AUTO_QUANTIZATION_CONFIG_MAPPING:
            raise PluginLoadError(
                f"the model is quantized by {method!r:.80}, which nothing that is installed knows",
                hint=f"pip install {_OURS[method]}" if method in _OURS else "install what quantized it",
            )


def replace_layers(skeleton: nn.Module, config: Mapping[str, Any]) -> None:
    """Let a model without memory for its weights have those layers that it will be loaded with."""
    methods = [method for _, method in _methods(config, 0)]
    if not any(entry_points(group=GROUP, name=method) for method in methods):
        return  # those of transformers ask for devices; their weights are packed into fewer elements
    from transformers.quantizers.auto import AutoHfQuantizer

    quantizer = AutoHfQuantizer.from_config(dict(config[_KEY]), pre_quantized=True)
    quantizer.preprocess_model(model=skeleton)


def _methods(config: Mapping[str, Any], depth: int) -> Iterator[tuple[int, str]]:
    """The ways in which a configuration, or a part of it, says that its model is quantized; and how deep each lies."""
    told = config.get(_KEY)
    method = told.get("quant_method") if isinstance(told, Mapping) else None
    if isinstance(method, str) and method:
        yield depth, method
    for key, part in config.items():
        if isinstance(part, Mapping) and key != _KEY and depth < _DEEPEST:
            yield from _methods(part, depth + 1)
