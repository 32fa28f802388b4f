"""The plugin passes the kit that every plugin has to pass."""

from __future__ import annotations

import os
import pickle

import pytest
import pytorch_zoo
import torch
from torch import nn

from model_registry.testing import PluginConformance, RefusedFile, Sample

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def zoo(name):
    return lambda folder: pytorch_zoo.build()[name][0]


def same(loaded, made):
    """Equal bit by bit."""
    one, other = (model.state_dict() if isinstance(model, nn.Module) else model["state"] for model in (loaded, made))
    return (
        type(loaded) is type(made)
        and list(one) == list(other)
        and all(torch.equal(one[key], other[key]) for key in one)
    )


def computes_the_same(loaded, made):
    given = torch.linspace(-1, 1, 6).reshape(2, 3)
    return torch.equal(loaded(given), made(given))


def checkpoint(folder):
    torch.manual_seed(0)
    return {"epoch": 3, "state": nn.Linear(4, 2).state_dict()}


def weights_file(folder):
    torch.save(checkpoint(folder), folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


def scripted(folder):
    torch.manual_seed(0)
    return torch.jit.script(nn.Linear(3, 2).eval())


class Payload:
    """Pickles to a shell command."""

    def __reduce__(self):
        return os.system, ("touch canary",)


def torch_file(folder, *, zipped):
    torch.save({"weight": torch.zeros(2), "x": Payload()}, folder / "hostile.pt", _use_new_zipfile_serialization=zipped)
    return folder / "hostile.pt"


def written(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


class TestPyTorch(PluginConformance):
    plugin_name = "pytorch"
    frameworks = ("torch", "numpy", "safetensors")
    plugin_options = {"trusted_modules": ["pytorch_zoo"]}  # noqa: RUF012  # nobody changes it

    def samples(self):
        return [
            Sample("mlp", zoo("mlp"), same, metadata={"parameters_count": 2410, "framework": "pytorch"}),
            Sample("weight-norm", zoo("weight-norm"), same),
            Sample("values", zoo("values"), same),
            Sample("tied", zoo("tied"), same, format="pytorch"),
            Sample("large", zoo("large"), same),
            Sample("checkpoint", checkpoint, same),
            Sample("file", weights_file, lambda loaded, path: same(loaded, torch.load(path, weights_only=True))),
            # torch.jit numbers the classes of an archive by how many the process has seen.
            Sample("torchscript", scripted, computes_the_same, load_options={"allow_code": True}, deterministic=False),
        ]

    def refused_files(self):
        return [
            RefusedFile("zip", lambda folder: torch_file(folder, zipped=True)),
            RefusedFile("legacy", lambda folder: torch_file(folder, zipped=False)),
            RefusedFile("pickle", written("weights.pt", pickle.dumps(Payload(), protocol=2)), "pytorch"),
            RefusedFile("empty", written("empty.pt", b""), "pytorch"),
            RefusedFile("text", written("text.pt", b"hello"), "pytorch"),
            RefusedFile("torchscript", written("text.pt", b"hello"), "torchscript"),
            RefusedFile("cut", lambda folder: cut(weights_file(folder))),
        ]


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])
    return path
