"""Exports come back bit by bit with the tools that own those formats."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import pytorch_zoo
import torch
from safetensors.torch import load_file
from torch import nn

MODELS = pytorch_zoo.build()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_equals_the_state_dict(name, suffix, registry, tmp_path):
    model, _ = MODELS[name]
    registry.register_model("m", model, "pytorch")
    path = registry.export_model("m", "latest", tmp_path / f"weights{suffix}")
    state = load_file(path) if suffix == ".safetensors" else torch.load(path, weights_only=True)
    expected = model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], value) and state[key].dtype == value.dtype for key, value in expected.items())


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_permissions_follow_the_umask(suffix, registry, tmp_path):
    registry.register_model("m", nn.Linear(2, 2), "pytorch")
    previous = os.umask(0o027)
    try:
        path = registry.export_model("m", "latest", tmp_path / f"weights{suffix}")
    finally:
        os.umask(previous)
    assert Path(path).stat().st_mode & 0o777 == 0o640


def test_exporting_twice_gives_the_same_bytes(registry, tmp_path):
    registry.register_model("m", nn.Linear(2, 2), "pytorch")
    for suffix in (".safetensors", ".pt"):
        one, two = (registry.export_model("m", "latest", tmp_path / f"{name}{suffix}") for name in ("one", "another"))
        assert Path(one).read_bytes() == Path(two).read_bytes()


def test_tied_weights_are_stored_once_in_a_pt_file(registry, tmp_path):
    registry.register_model("m", pytorch_zoo.TiedLanguageModel(), "pytorch")
    state = torch.load(registry.export_model("m", "latest", tmp_path / "tied.pt"), weights_only=True)
    assert state["head.weight"].data_ptr() == state["embedding.weight"].data_ptr()


def test_a_checkpoint_becomes_a_pt_file_and_no_safetensors_file(registry, tmp_path):
    registry.register_model("m", {"epoch": 3, "model": nn.Linear(2, 2).state_dict()}, "pytorch")
    state = torch.load(registry.export_model("m", "latest", tmp_path / "c.pt"), weights_only=True)
    assert state["epoch"] == 3
    with pytest.raises(ValueError, match=r"entry .epoch. is no tensor.*state_dict"):
        registry.export_model("m", "latest", tmp_path / "c.safetensors")
    assert not (tmp_path / "c.safetensors").exists()
