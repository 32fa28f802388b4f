"""Every kind of module comes back bit by bit in a process that never ran its ``__init__``."""

from __future__ import annotations

import pytest
import pytorch_zoo
import torch
from torch import nn

from model_registry import ModelRegistry

MODELS = pytorch_zoo.build()


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory, run_child):
    """Registers all models, reloads them in one child, and gives its verdict of each."""
    folder = tmp_path_factory.mktemp("zoo")
    registry = ModelRegistry(folder / "models")
    expected = {}
    for name, (model, given) in MODELS.items():
        registry.register_model(name, model, "pytorch")
        expected[name] = (given, pytorch_zoo.outputs(model, given), dict(model.state_dict()))
    torch.save(expected, folder / "expected.pt")
    printed = run_child("reload_zoo.py", folder, folder / "models", folder / "expected.pt")
    return dict(line.split() for line in printed.splitlines())


@pytest.mark.parametrize("name", MODELS)
def test_reloads_bit_equal_in_a_new_process(name, verdicts):
    assert verdicts[name] == "equal"


def reload(registry, model):
    registry.register_model("m", model, "pytorch", version="1.0.0")
    return registry.load_model("m").model


def test_training_mode_is_kept_for_each_module(registry):
    model = nn.Sequential(nn.Dropout(), nn.Dropout()).train()
    model[1].eval()
    loaded = reload(registry, model)
    assert [module.training for module in loaded.modules()] == [True, True, False]


def test_requires_grad_and_parameter_order_are_kept(registry):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    model[0].weight.requires_grad_(False)
    loaded = reload(registry, model)
    assert [(name, p.requires_grad) for name, p in loaded.named_parameters()] == [
        ("0.weight", False),
        ("0.bias", True),
        ("1.weight", True),
        ("1.bias", True),
    ]


def test_tied_weights_stay_one_parameter_and_train_together(registry):
    loaded = reload(registry, pytorch_zoo.TiedLanguageModel())
    assert loaded.head.weight is loaded.embedding.weight
    loaded(torch.tensor([1])).sum().backward()
    assert loaded.embedding.weight.grad is loaded.head.weight.grad


def test_shared_modules_stay_one_module(registry):
    layer = nn.Linear(2, 2)
    loaded = reload(registry, nn.Sequential(layer, nn.ReLU(), layer))
    assert loaded[0] is loaded[2]


def test_tensors_that_share_memory_still_do(registry):
    model = pytorch_zoo.Buffers()
    model.view = model.mask.detach()
    loaded = reload(registry, model)
    assert loaded.view is not loaded.mask
    assert loaded.view.data_ptr() == loaded.mask.data_ptr()


def test_a_buffer_that_is_not_persistent_stays_so(registry):
    model = pytorch_zoo.Buffers()
    loaded = reload(registry, model)
    assert torch.equal(loaded.mask, model.mask)
    assert list(loaded.state_dict()) == ["step"]
    assert loaded.step.shape == ()


def test_values_of_every_kind_come_back(registry):
    model = pytorch_zoo.Values()
    loaded = reload(registry, model)
    for name in ("plain", "data", "keys", "order", "sets", "torch", "mode", "settings", "slotted", "classes"):
        assert getattr(loaded, name) == getattr(model, name), name
    assert repr(loaded.numbers) == repr(model.numbers)
    assert repr(loaded.plain) == repr(model.plain)
    assert list(loaded.order) == ["z", "a"]
    assert torch.equal(loaded.tensor, model.tensor)


def test_an_unregistered_reference_to_the_parent_comes_back(registry):
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].owner = [model]
    loaded = reload(registry, model)
    assert loaded[0].owner[0] is loaded


def test_channels_last_is_kept(registry):
    loaded = reload(registry, nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last))
    assert loaded.weight.is_contiguous(memory_format=torch.channels_last)
    assert not loaded.weight.is_contiguous()


def test_a_parametrized_module_trains_on(registry):
    model = pytorch_zoo.normalised(torch.nn.utils.parametrizations.weight_norm)
    loaded = reload(registry, model)
    assert torch.nn.utils.parametrize.is_parametrized(loaded[0], "weight")
    torch.optim.SGD(loaded.parameters(), 0.1).zero_grad()
    loaded(torch.randn(2, 6)).sum().backward()
    assert loaded[0].parametrizations.weight.original0.grad is not None


def test_a_loaded_model_can_be_saved_again_to_the_same_digest(registry):
    model = pytorch_zoo.Values()
    first = registry.register_model("m", model, "pytorch", version="1.0.0")
    again = registry.register_model("m", registry.load_model("m").model, "pytorch", version="1.0.0", exist_ok=True)
    assert again.digest == first.digest


def test_changing_a_loaded_weight_leaves_the_stored_bytes_alone(registry):
    model = nn.Linear(700, 500)
    entry = registry.register_model("m", model, "pytorch")
    loaded = registry.load_model("m").model
    with torch.no_grad():
        loaded.weight.fill_(0.0)
    assert entry.verify_integrity()
    assert torch.equal(registry.load_model("m").model.weight, model.weight)


def test_a_loaded_model_can_be_saved_with_torch(registry, tmp_path):
    loaded = reload(registry, pytorch_zoo.Convolutional())  # two dtypes in one file
    torch.save(loaded.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert all(torch.equal(state[name], tensor) for name, tensor in loaded.state_dict().items())
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in state.values())


def test_device_moves_the_weights(registry):
    registry.register_model("m", nn.Linear(2, 2), "pytorch")
    loaded = registry.load_model("m", device="meta").model
    assert {parameter.device.type for parameter in loaded.parameters()} == {"meta"}
    assert registry.load_model("m", device="cpu").model.weight.device.type == "cpu"
    assert registry.load_model("m", device=torch.device("cpu")).model.weight.device.type == "cpu"


@pytest.mark.parametrize("name", MODELS)
def test_the_state_dict_view_is_the_modules_state_dict(name, registry):
    model, _ = MODELS[name]
    registry.register_model("m", model, "pytorch")
    state = registry.load_model("m", as_="state_dict").model
    assert list(state) == list(model.state_dict())
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
