"""What is registered: modules of large and of small tensors, and files of random bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model_registry import ModelLoader


def large_module(mebibytes: int, seed: int = 0) -> nn.Module:
    """Layers of 16 MiB, as a language model's have, with a small bias each."""
    torch.manual_seed(seed)
    return nn.Sequential(*[nn.Linear(2048, 2048) for _ in range(max(1, mebibytes // 16))])


def small_modules(count: int, seed: int = 0) -> list[nn.Module]:
    """Modules of a megabyte each, all different."""
    torch.manual_seed(seed)
    return [nn.Linear(500, 500) for _ in range(count)]


def random_file(path: Path, mebibytes: int) -> Path:
    """A file that nothing can compress or share."""
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(1 << 20))
    return path


class AsItIs(ModelLoader):
    """Keeps a file byte for byte."""

    def save(self, model: Any, model_path: str, **_: Any) -> None:
        raise NotImplementedError("only files are registered")

    def load(self, model_path: str, **_: Any) -> str:
        return model_path

    def get_metadata(self, model: Any, model_path: str | None = None) -> dict[str, Any]:
        return {}

    def supported_formats(self) -> list[str]:
        return ["custom"]
