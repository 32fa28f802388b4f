"""What a model is, bit by bit, as a text that can be told to another process."""

from __future__ import annotations

import copy
import hashlib
import itertools
from typing import Any

import hf_zoo
import torch


def fingerprint(label: str, model: Any) -> dict[str, Any]:
    """Its class, every parameter and buffer (also those that are not saved), and what it computes."""
    named = itertools.chain(model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False))
    tensors = {name: digest(tensor) for name, tensor in sorted(named)}
    return {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "tensors": tensors,
        # Of a copy, whose tensors torch laid out itself: some kernels give other last bits for the same numbers where
        # these begin at an address that is no multiple of 16, as they may in a file that is mapped.
        "outputs": [digest(tensor) for tensor in hf_zoo.run(label, copy.deepcopy(model))],
        "training": model.training,
    }


def digest(tensor: torch.Tensor) -> str:
    data = tensor.detach().contiguous()
    content = data.reshape(-1).view(torch.uint8).numpy().tobytes() if data.numel() else b""
    return f"{data.dtype} {list(data.shape)} {hashlib.sha256(content).hexdigest()[:16]}"
