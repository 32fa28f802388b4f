"""Seeing what goes into the linear layers of a module, on inputs of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from model_registry import InvalidOptionError
from model_registry_compression.layers import is_linear
from model_registry_compression.lossy.samples import HINT, samples


def greatest_inputs(model: nn.Module, calibration: Any) -> dict[nn.Module, torch.Tensor]:
    """The greatest absolute value that went into each linear layer that ran.

    :raises InvalidOptionError: if there are no inputs, or the model does not take them.
    """
    greatest: dict[nn.Module, torch.Tensor] = {}

    def look(layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen = next((value for value in (*given, *named.values()) if isinstance(value, torch.Tensor)), None)
        if seen is not None and seen.numel():
            most = seen.abs().amax().float()
            greatest[layer] = torch.maximum(greatest.get(layer, most), most)

    hooks = [layer.register_forward_pre_hook(look, with_kwargs=True) for layer in model.modules() if is_linear(layer)]
    try:
        with torch.no_grad():
            for sample in samples(calibration):
                _run(model, sample)
    finally:
        for hook in hooks:
            hook.remove()
    if not greatest:
        problem = "calibration ran nothing through a linear layer"
        raise InvalidOptionError(problem, hint=HINT, option="calibration")
    return {layer: seen.clamp(min=torch.finfo(torch.float32).tiny * 1024) for layer, seen in greatest.items()}


def _run(model: nn.Module, sample: Any) -> None:
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)

    def tensor(value: Any) -> torch.Tensor:
        made = torch.as_tensor(value)
        return made.to(dtype) if made.is_floating_point() else made

    try:
        if isinstance(sample, Mapping):
            named = {str(name): tensor(value) for name, value in sample.items()}
            if all(name.isdigit() for name in named):
                model(*named.values())
            else:
                model(**named)
        elif isinstance(sample, (tuple, list)):
            model(*map(tensor, sample))
        else:
            model(tensor(sample))
    except Exception as error:  # whatever a framework, or the code of a module, thinks of the inputs
        raise InvalidOptionError(
            f"the model does not take what calibration gives: {type(error).__name__}: {error}",
            hint=HINT,
            option="calibration",
        ) from error
