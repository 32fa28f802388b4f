"""Writes a golden registry of PyTorch models: what this plugin leaves on the disk, for the tests of every later one.

::

    python tests/plugins/pytorch/golden/make.py 1

makes ``registry-1/`` beside this file, and a JSON file of the digests in it. A golden registry is never made anew once
its layout was released.
"""

from __future__ import annotations

import gc
import getpass
import json
import platform
import shutil
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import torch
from torch import nn

from model_registry import ModelRegistry

HERE = Path(__file__).parent


def numbered(model: nn.Module) -> nn.Module:
    """The model with weights that are the same everywhere."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) % 7 - 3)
    return model.eval()


def models() -> dict[str, nn.Module | dict[str, object]]:
    """What the registry holds, made anew."""
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    return {
        "mlp": numbered(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 2))),
        "lstm": numbered(nn.LSTM(3, 4, bidirectional=True)),
        "tied": numbered(tied),
        "half": numbered(nn.Conv2d(2, 3, 3)).to(torch.bfloat16, memory_format=torch.channels_last),
        "checkpoint": {"epoch": 3, "best": {"accuracy": 0.5}, "state": numbered(nn.Linear(2, 1)).state_dict()},
    }


def write(folder: Path) -> dict[str, str]:
    """Write the registry into a folder that does not exist; the digests by name."""
    registry = ModelRegistry(folder)
    return {name: registry.register_model(name, model, "pytorch").digest for name, model in models().items()}


if __name__ == "__main__":
    socket.gethostname = lambda: "golden"
    getpass.getuser = lambda: "golden"
    platform.platform = lambda *_: "golden"
    folder = HERE / f"registry-{sys.argv[1]}"
    digests = write(folder)
    gc.collect()  # closes the registry's connections
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database:
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.rmtree(folder / "staging")
    for leftover in folder.glob("fingerprints.sqlite*"):
        leftover.unlink()
    (HERE / f"{folder.name}.json").write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")
