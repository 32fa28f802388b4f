"""Models written by each layout of this plugin that was ever released still load, to the last bit."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from model_registry import ModelRegistry

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("registry-*.json"))


@pytest.fixture(scope="module")
def models():
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.models()


@pytest.fixture(params=NAMES)
def golden(request, tmp_path, monkeypatch):
    """A copy of each golden registry, with the digests that were written down when it was made."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(GOLDEN / request.param, tmp_path / "models")
    for blob in Path("models/blobs/sha256").iterdir():
        blob.chmod(0o444)  # which git does not keep
    return ModelRegistry("models"), json.loads((GOLDEN / f"{request.param}.json").read_text(encoding="utf-8"))


def flat(model):
    """The tensors of a module or of a checkpoint, by name."""
    return model.state_dict() if isinstance(model, nn.Module) else model["state"]


def equal(one, other):
    return (
        type(one) is type(other)
        and list(flat(one)) == list(flat(other))
        and all(
            a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b)
            for a, b in zip(flat(one).values(), flat(other).values(), strict=True)
        )
    )


def test_every_model_loads_as_it_was(golden, models):
    registry, digests = golden
    assert {entry.name: entry.digest for entry in registry.list_models()} == digests
    for name in digests:
        assert equal(registry.load_model(name).model, models[name]), name
    assert registry.load_model("checkpoint").model["best"] == {"accuracy": 0.5}
    tied = registry.load_model("tied").model
    assert tied[0].weight is tied[1].weight


def test_every_model_is_sound(golden):
    registry, _ = golden
    registry.repair()  # notes the paths that the first format of catalogs did not have
    assert registry.validate_registry(deep=True)["findings"] == []


def test_every_model_can_be_exported_and_read_by_other_tools(golden, models, tmp_path):
    registry, _ = golden
    path = registry.export_model("mlp", "latest", tmp_path / "mlp.pt")
    state = torch.load(path, weights_only=True)
    assert all(torch.equal(state[name], tensor) for name, tensor in models["mlp"].state_dict().items())


def test_a_model_registered_today_joins_them(golden, models):
    registry, digests = golden
    for name in digests:
        new = registry.register_model(name, models[name], "pytorch")
        assert new.version == "1.0.1"
        assert equal(registry.load_model(name, "1.0.0").model, registry.load_model(name, "1.0.1").model)
