"""Modules that lie to their kernels, which would read beyond the memory or end the process: refused when loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
import torch
from torch import nn

from model_registry import ModelRegistry, UnsafeModelError


def forged(registry: ModelRegistry, model: nn.Module, folder: Path, qualname: str, attributes: dict[str, object]):
    """A version of a model, in whose record somebody changed what a module says of itself."""
    registry.register_model("m", model, "pytorch", version="1")
    exported = Path(registry.export_model("m", "1", folder))
    record = json.loads((exported / "module.json").read_text())
    [described] = [each for each in record["modules"] if each["class"]["qualname"] == qualname]
    assert described["attributes"].keys() >= attributes.keys()
    described["attributes"].update(attributes)
    (exported / "module.json").write_text(json.dumps(record))
    registry.register_model("m", exported, "pytorch", version="2")


@pytest.mark.parametrize("cls", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(
    "lie",
    [
        {"hidden_size": 0},
        {"hidden_size": 7},
        {"hidden_size": 64},
        {"hidden_size": 1 << 40},
        {"hidden_size": -8},
        {"hidden_size": 8.0},
        {"input_size": 1000},
        {"num_layers": 0},
        {"num_layers": 3},
        {"num_layers": True},
        {"bidirectional": True},
        {"proj_size": 4},
        {"mode": "RNN_RELU_"},
        {"mode": "LSTM_"},
    ],
    ids=str,
)
def test_recurrent_modules_that_lie_are_refused(tmp_path: Path, cls: type, lie: dict[str, object]) -> None:
    registry = ModelRegistry(tmp_path / "r")
    forged(registry, nn.Sequential(cls(5, 8, num_layers=2)), tmp_path / "m", cls.__name__, lie)
    with pytest.raises(UnsafeModelError, match=f"does not describe the weights of a {cls.__name__}"):
        registry.load_model("m", "2")


def test_a_mode_of_another_class_is_refused(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "r")
    forged(registry, nn.Sequential(nn.RNN(5, 8)), tmp_path / "m", "RNN", {"mode": "GRU"})
    with pytest.raises(UnsafeModelError, match="its mode is 'GRU'"):
        registry.load_model("m", "2")


def test_the_kernels_get_the_weights_that_were_looked_at(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    model = nn.LSTM(4, 64)
    model._flat_weights_names = ["a", "b", "c", "d"]
    model._flat_weights = [torch.zeros(1)] * 4
    registry.register_model("m", model, "pytorch", version="1")
    with pytest.raises(UnsafeModelError, match="it names others"):
        registry.load_model("m", "1")
    model = nn.LSTM(4, 64)
    model._flat_weights = [torch.zeros(1)] * 4
    registry.register_model("m", model, "pytorch", version="2")
    loaded = registry.load_model("m", "2").model
    assert [weight.shape for weight in loaded._flat_weights] == [
        weight.shape for weight in nn.LSTM(4, 64)._flat_weights
    ]


def test_a_bias_of_attention_is_seen_wherever_it_is_kept(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for number, bias in enumerate((torch.zeros(3), torch.zeros(48, dtype=torch.float16))):
        model = nn.MultiheadAttention(16, 4)
        del model._parameters["in_proj_bias"]
        model.register_buffer("in_proj_bias", bias)
        registry.register_model("m", model, "pytorch", version=str(number))
        with pytest.raises(UnsafeModelError, match=r"should have the shape|different types"):
            registry.load_model("m", str(number))


@pytest.mark.parametrize("lie", [{"num_heads": 0}, {"num_heads": 3}, {"embed_dim": 32}, {"head_dim": 64}], ids=str)
@pytest.mark.parametrize("inside", [False, True])
def test_attention_that_lies_is_refused(tmp_path: Path, lie: dict[str, object], inside: bool) -> None:
    registry = ModelRegistry(tmp_path / "r")
    model = nn.TransformerEncoderLayer(16, 4, 32) if inside else nn.Sequential(nn.MultiheadAttention(16, 4))
    forged(registry, model, tmp_path / "m", "MultiheadAttention", lie)
    with pytest.raises(UnsafeModelError, match="does not describe the weights of a MultiheadAttention"):
        registry.load_model("m", "2")


def test_weights_and_biases_of_attention_have_one_type(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for name in ("in_proj_bias", "out_proj.bias"):
        model = nn.MultiheadAttention(16, 4)
        owner = model.get_submodule(name.rpartition(".")[0])
        bias = owner._parameters[name.rpartition(".")[2]]
        owner._parameters[name.rpartition(".")[2]] = nn.Parameter(bias.to(torch.int8), requires_grad=False)
        entry = registry.register_model(f"m-{name}", model, "pytorch")
        with pytest.raises(UnsafeModelError, match="different types"):
            registry.load_model(entry.name)


@pytest.mark.parametrize(
    "model",
    [
        nn.LSTM(5, 8, num_layers=2, bidirectional=True, proj_size=3),
        nn.LSTM(5, 8, bias=False, batch_first=True),
        nn.GRU(5, 8, bidirectional=True),
        nn.RNN(5, 8, nonlinearity="relu"),
        nn.MultiheadAttention(16, 4, kdim=8, vdim=12),
        nn.MultiheadAttention(16, 4, bias=False),
        nn.MultiheadAttention(numpy.int64(16), numpy.int64(4), add_bias_kv=True),
    ],
    ids=lambda model: type(model).__name__,
)
def test_those_that_tell_the_truth_are_loaded(tmp_path: Path, model: nn.Module) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", model, "pytorch")
    assert registry.load_model("m").model.state_dict().keys() == model.state_dict().keys()


def test_a_module_that_is_vouched_for_gives_its_classes_and_no_functions(tmp_path: Path) -> None:
    pytest.importorskip("model_registry_compression")
    registry = ModelRegistry(tmp_path / "r")
    registry.register_model("m", nn.Linear(4, 4), "pytorch", version="1")
    exported = Path(registry.export_model("m", "1", tmp_path / "m"))
    record = json.loads((exported / "module.json").read_text())
    function = {"module": "model_registry_compression.weights", "qualname": "store"}
    record["modules"][0]["attributes"]["act"] = {"foreignFunction": function}
    (exported / "module.json").write_text(json.dumps(record))
    registry.register_model("m", exported, "pytorch", version="2")
    with pytest.raises(ValueError, match=r"the function model_registry_compression\.weights\.store, which is neither"):
        registry.load_model("m", "2")
