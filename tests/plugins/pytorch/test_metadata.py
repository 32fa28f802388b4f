"""What the files tell of a model, without running it or importing torch."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
import pytorch_zoo
import torch
from torch import nn


def described(registry, model) -> dict:
    metadata = registry.register_model("m", model, "pytorch").metadata
    return {"parameters_count": metadata.parameters_count, "framework": metadata.framework, **metadata.extra}


def test_a_module(registry):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2).half())
    model[0].weight.requires_grad_(False)
    assert described(registry, model) == {
        "framework": "pytorch",
        "parameters_count": 12 + 3 + 3 + 3 + 6 + 2,
        "trainable_parameters": 3 + 3 + 3 + 6 + 2,
        "buffers_count": 3 + 3 + 1,
        "weights_bytes": 4 * (12 + 3 + 3 + 3 + 3 + 3) + 8 + 2 * (6 + 2),
        "dtypes": {"float16": 8, "float32": 27, "int64": 1},
        "layers": {"BatchNorm1d": 1, "Linear": 2, "ReLU": 1, "Sequential": 1},
    }


def test_tied_parameters_count_once(registry):
    model = pytorch_zoo.TiedLanguageModel()
    assert described(registry, model)["parameters_count"] == 20 * 8 == sum(p.numel() for p in model.parameters())


def test_what_a_state_dict_can_tell(registry):
    found = described(registry, nn.BatchNorm1d(3).state_dict())
    assert (found["parameters_count"], found["buffers_count"]) == (6, 7)
    assert "trainable_parameters" not in found
    assert "layers" not in found


def test_an_empty_module(registry):
    found = described(registry, nn.Sequential())
    assert (found["parameters_count"], found["weights_bytes"], found["layers"]) == (0, 0, {"Sequential": 1})


def test_what_the_caller_says_wins(registry):
    assert registry.register_model("m", nn.Linear(2, 2), "pytorch", parameters_count=7).metadata.parameters_count == 7


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_shapes_of_any_kind_are_counted(shape, registry):
    assert described(registry, {"t": torch.zeros(shape)})["parameters_count"] == torch.zeros(shape).numel()


def test_listing_and_validating_import_no_torch(registry, tmp_path):
    registry.register_model("m", nn.Linear(2, 2), "pytorch")
    script = (
        "import sys; from model_registry import ModelRegistry; r = ModelRegistry('models');"
        "assert r.validate_registry()['valid_models'] == 1; r.list_models();"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)


def test_the_packages_that_matter_are_kept_with_the_version(registry):
    packages = registry.register_model("m", nn.Linear(2, 2), "pytorch").environment["packages"]
    assert packages == {name: version(name) for name in ("numpy", "safetensors", "torch")}


@pytest.mark.parametrize(
    ("last", "kind"), [(nn.Softmax(-1), "classification"), (nn.LogSoftmax(-1), "classification"), (nn.ReLU(), "custom")]
)
def test_the_last_layer_tells_what_a_module_is_for(registry, last, kind):
    model = nn.Sequential(nn.Linear(4, 3), last)
    assert registry.register_model("m", model).metadata.model_type == kind
    assert registry.register_model("m", model, model_type="regression").metadata.model_type == "regression"
