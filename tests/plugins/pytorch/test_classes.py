"""Classes resolve by identity: what nobody vouched for is never imported."""

from __future__ import annotations

import sys

import pytest
import pytorch_zoo
import torch
from torch import nn

from model_registry import ClassNotFoundError, InvalidOptionError, ModelRegistry, UnsupportedModelError

SOURCE = """
from torch import nn
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, width)
    def forward(self, x):
        return self.layer(x)
class Counting(Net):
    def __setstate__(self, state):
        super().__setstate__(state)
        self.restored = True
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable module ``elsewhere``, imported; ``forget`` makes the process one that has not imported it."""
    (tmp_path / "elsewhere.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import elsewhere

    yield elsewhere
    sys.modules.pop("elsewhere", None)


def forget():
    del sys.modules["elsewhere"]


@pytest.fixture
def stored(registry, package):
    registry.register_model("net", package.Net(3), "pytorch")
    forget()
    return registry


def test_a_missing_class_is_named_with_every_way_out(stored):
    with pytest.raises(ClassNotFoundError) as raised:
        stored.load_model("net")
    message = str(raised.value)
    assert "no class elsewhere.Net" in message
    for way in ("import elsewhere", "trusted_classes=[Net]", '"elsewhere" to trusted_modules', 'as_="state_dict"'):
        assert way in message
    assert "elsewhere" not in sys.modules, "it was imported"
    assert raised.value.class_name == "elsewhere.Net"


@pytest.mark.parametrize("form", ["list", "full name", "short name"])
def test_trusted_classes_give_it(form, stored, package):
    given = {"list": [package.Net], "full name": {"elsewhere.Net": package.Net}, "short name": {"Net": package.Net}}
    assert type(stored.load_model("net", trusted_classes=given[form]).model) is package.Net
    assert "elsewhere" not in sys.modules


def test_a_class_that_was_renamed_is_given_by_its_recorded_name(stored):
    class Renamed(nn.Module):
        def forward(self, x):
            return self.layer(x) * 0

    loaded = stored.load_model("net", trusted_classes={"elsewhere.Net": Renamed}).model
    assert type(loaded) is Renamed
    assert loaded.layer.in_features == 3


def test_a_given_class_replaces_no_other_of_the_same_short_name(registry):
    class Linear(nn.Module):
        pass

    registry.register_model("m", nn.Linear(2, 2), "pytorch")
    assert type(registry.load_model("m", trusted_classes=[Linear]).model) is nn.Linear


def test_trusted_modules_are_imported(stored, tmp_path):
    registry = ModelRegistry(tmp_path / "models", plugins={"pytorch": {"trusted_modules": ["elsewhere"]}})
    assert type(registry.load_model("net").model).__name__ == "Net"


def test_permission_to_run_code_imports(stored):
    assert type(stored.load_model("net", allow_code=True).model).__name__ == "Net"


def test_trusting_a_package_does_not_trust_its_namesakes(stored, tmp_path):
    registry = ModelRegistry(tmp_path / "models", plugins={"pytorch": {"trusted_modules": ["else", "elsewhere.sub"]}})
    with pytest.raises(ClassNotFoundError):
        registry.load_model("net")


def test_a_class_of_a_function_is_only_found_when_given(registry):
    class Local(nn.Module):
        pass

    registry.register_model("m", Local(), "pytorch")
    with pytest.raises(ClassNotFoundError, match=r"trusted_classes=\[Local\]"):
        registry.load_model("m")
    assert type(registry.load_model("m", trusted_classes=[Local]).model) is Local


def test_its_own_setstate_runs_only_for_classes_that_were_vouched_for(tmp_path, package, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trusting = ModelRegistry(tmp_path / "models", plugins={"pytorch": {"trusted_modules": ["elsewhere"]}})
    trusting.register_model("net", package.Counting(2), "pytorch")
    assert trusting.load_model("net").model.restored
    wary = ModelRegistry(tmp_path / "models")
    with pytest.raises(
        UnsupportedModelError, match=r"runs its own Counting\.__setstate__.*trusted_classes=\[Counting\]"
    ):
        wary.load_model("net")
    assert wary.load_model("net", trusted_classes=[package.Counting]).model.restored


def test_init_is_never_called(registry, monkeypatch):
    registry.register_model("m", pytorch_zoo.Required(3, depth=1), "pytorch")
    monkeypatch.setattr(pytorch_zoo.Required, "__init__", lambda *_: pytest.fail("called"))
    assert registry.load_model("m").model(torch.zeros(3)).shape == (3,)


@pytest.mark.parametrize("given", [["Net"], [nn.Linear(1, 1)], {"Net": "Net"}])
def test_trusted_classes_must_be_classes(given, stored):
    with pytest.raises(InvalidOptionError, match="is no class"):
        stored.load_model("net", trusted_classes=given)
