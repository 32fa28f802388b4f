"""Two PyTorch models compared, tensor by tensor and module by module, without importing torch."""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from model_registry import ModelRegistry
from model_registry_pytorch.difference import difference


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ModelRegistry("models")


def network(width=4, *, big=600):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2), nn.Linear(big, big))


def statuses(comparison):
    return {change.name: change.status for change in comparison.tensors}


def test_equal_models_are_identical(registry):
    registry.register_model("m", network())
    registry.register_model("m", network())
    comparison = registry.compare("m:1.0.0", "m:1.0.1", differences=True)
    assert set(statuses(comparison).values()) == {"identical"}
    assert comparison.modules == ()


def test_what_changed_is_told_and_measured(registry):
    model = network()
    registry.register_model("m", model)
    with torch.no_grad():
        model[0].weight[1, 2] += 0.5
        model[3].weight[7] -= 0.25
    registry.register_model("m", model)
    comparison = registry.compare("m:1.0.0", "m:1.0.1", differences=True)
    assert {name for name, status in statuses(comparison).items() if status == "changed"} == {"0.weight", "3.weight"}
    found = {change.name: change for change in comparison.tensors}
    assert found["0.weight"].max_abs == pytest.approx(0.5)
    assert found["0.weight"].mean_abs == pytest.approx(0.5 / 12)
    assert found["3.weight"].max_abs == pytest.approx(0.25)
    assert found["3.weight"].mean_abs == pytest.approx(0.25 / 600)


def test_other_shapes_dtypes_and_layers_are_told(registry):
    registry.register_model("m", network())
    registry.register_model("m", nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2).half()))
    comparison = registry.compare("m:1.0.0", "m:1.0.1")
    told = statuses(comparison)
    assert (told["0.weight"], told["2.bias"], told["3.weight"]) == ("shape", "dtype", "removed")
    modules = {change.key: (change.a, change.b) for change in comparison.modules}
    assert "out_features=4" in modules["0"][0]
    assert "out_features=5" in modules["0"][1]
    assert modules["1"][0].endswith("ReLU(inplace=False)") or "ReLU" in modules["1"][0]
    assert "GELU" in modules["1"][1]
    assert modules["3"][1] is None


def test_torch_is_not_imported(registry):
    registry.register_model("m", network())
    registry.register_model("m", network(5))
    code = """
import sys
from model_registry import ModelRegistry
comparison = ModelRegistry("models").compare("m:1.0.0", "m:1.0.1", differences=True)
assert len(comparison.tensors) == 6 and comparison.modules
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


KINDS = {
    "float32": numpy.float32,
    "float64": numpy.float64,
    "float16": numpy.float16,
    "int32": numpy.int32,
    "uint8": numpy.uint8,
}
numbers = st.lists(st.tuples(st.integers(-100, 100), st.integers(-100, 100)), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), pairs=numbers)
def test_differences_are_those_of_numpy(kind, pairs):
    a, b = (numpy.array(column).astype(KINDS[kind]) for column in zip(*pairs, strict=True))
    expected = numpy.abs(a.astype(numpy.float64) - b.astype(numpy.float64))
    greatest, total = difference(kind, memoryview(a).cast("B"), memoryview(b).cast("B"))
    assert greatest == pytest.approx(expected.max())
    assert total == pytest.approx(expected.sum())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_differences_of_small_floats_are_those_of_torch(dtype):
    torch.manual_seed(1)
    a, b = torch.randn(500).to(dtype), torch.randn(500).to(dtype)
    expected = (a.double() - b.double()).abs()
    views = [memoryview(each.view(torch.uint8).numpy()).cast("B") for each in (a, b)]
    greatest, total = difference(str(dtype).removeprefix("torch."), *views)
    assert greatest == pytest.approx(expected.max().item())
    assert total == pytest.approx(expected.sum().item())
