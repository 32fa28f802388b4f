"""What a record cannot hold gets an error that names it and says what to do."""

from __future__ import annotations

import logging

import pytest
import pytorch_zoo
import torch
from torch import nn

from model_registry import ModelRegistry, UnsupportedModelError


def having(**attributes) -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2))
    for name, value in attributes.items():
        setattr(model[0], name, value)
    return model


def with_buffer(tensor) -> nn.Module:
    model = nn.Module()
    model.register_buffer("buffer", tensor)
    return model


def watch(*_):
    pass


def hooked(kind: str) -> nn.Module:
    model = nn.Sequential(nn.Linear(2, 2))
    getattr(model[0], kind)(watch)
    return model


def with_view(view) -> nn.Module:
    model = nn.Linear(4, 4)
    model.register_buffer("part", view(model.weight.detach()))
    return model


def hooked_tensor() -> nn.Module:
    model = nn.Linear(2, 2)
    model.weight.register_hook(print)
    return model


def containing_itself() -> list:
    items: list = []
    items.append(items)
    return items


def nested(depth: int) -> nn.Module:
    model = nn.Identity()
    for _ in range(depth):
        model = nn.Sequential(model)
    return model


def cyclic() -> nn.Module:
    model = nn.Sequential(nn.Identity())
    model[0].parent = model
    return model


class Slotted(nn.Module):
    __slots__ = ("secret",)


class Reducing(nn.Module):
    def __reduce__(self):
        return Reducing, ()


class Stateful(nn.Module):
    def __getstate__(self):
        return {}


class Deleting(nn.Module):
    def __del__(self):
        pass


class Subclassed(torch.Tensor):
    pass


def old_weight_norm() -> nn.Module:
    with pytest.warns(FutureWarning):
        return nn.utils.weight_norm(nn.Linear(2, 2))


REFUSED = {
    "logger": (lambda: having(log=logging.getLogger("x")), r"attribute '0\.log' is a logging\.Logger"),
    "lambda": (lambda: having(act=lambda x: x), r"attribute '0\.act' is the function .*<lambda>.* — make it a method"),
    "nested lambda": (lambda: having(acts={"a": [len, lambda x: x]}), r"attribute '0\.acts\.a\.1' is the function"),
    "method": (lambda: having(act=having().forward), r"attribute '0\.act' is a builtins\.method"),
    "generator": (lambda: having(items=iter([])), r"attribute '0\.items' is a builtins\.list_iterator"),
    "class": (lambda: having(kind=logging.Logger), r"attribute '0\.kind' is the class Logger"),
    "cycle": (lambda: having(items=containing_itself()), "nested deeper than 64 levels, or contains itself"),
    "shadowing": (lambda: having(forward=torch.relu), r"attribute '0\.forward' hides Linear\.forward"),
    "shadowing its own": (
        lambda: having(reset_parameters=torch.relu),
        r"attribute '0\.reset_parameters' hides Linear\.reset_parameters",
    ),
    "too much text": (
        lambda: having(text="x" * (64 << 20)),
        "attributes of the model take .* a record holds 67,108,864",
    ),
    "del": (Deleting, r"brings its own Deleting\.__del__"),
    "sparse": (lambda: with_buffer(torch.eye(2).to_sparse()), "'buffer' is of layout torch.sparse_coo.*to_dense"),
    "complex128": (lambda: with_buffer(torch.zeros(2, dtype=torch.complex128)), "of dtype torch.complex128"),
    "meta": (lambda: nn.Linear(2, 2, device="meta"), "'weight' is on the meta device"),
    "lazy": (lambda: nn.LazyLinear(2), "hook|not initialised"),
    "subclass": (lambda: with_buffer(torch.zeros(2).as_subclass(Subclassed)), "is a Subclassed, a subclass of Tensor"),
    "graph": (lambda: with_buffer(nn.Parameter(torch.ones(2)) * 2), "'buffer' is a result that autograd"),
    "tensor hook": (hooked_tensor, "'weight' is a tensor with hooks.*handle.remove"),
    "view of rows": (lambda: with_view(lambda weight: weight[1:]), "'part' is a view into 'weight'.*clone"),
    "view of a column": (lambda: with_view(lambda weight: weight[:, 2]), "'part' is a view into 'weight'"),
    "forward hook": (lambda: hooked("register_forward_hook"), "module '0' has a hook in _forward_hooks: watch"),
    "pre-hook": (lambda: hooked("register_forward_pre_hook"), "hook in _forward_pre_hooks: watch.*handle.remove"),
    "backward hook": (lambda: hooked("register_full_backward_hook"), "hook in _backward_hooks"),
    "state dict hook": (lambda: hooked("register_state_dict_post_hook"), "hook in _state_dict_hooks"),
    "old weight_norm": (old_weight_norm, "torch.nn.utils.parametrizations"),
    "deep": (lambda: nested(250), "nest deeper than 200"),
    "cyclic": (cyclic, "contains the model, or itself, as a child"),
    "slots": (Slotted, "Slotted, which keeps state in __slots__"),
    "reduce": (Reducing, "Reducing, which brings its own Reducing.__reduce__.*trusted_modules"),
    "getstate": (Stateful, "brings its own Stateful.__getstate__"),
    "data parallel": (lambda: nn.DataParallel(nn.Linear(2, 2)), "DataParallel.*register model.module"),
    "compiled": (lambda: torch.compile(nn.Linear(2, 2), backend="eager"), "OptimizedModule.*model._orig_mod"),
    "traced by fx": (lambda: torch.fx.symbolic_trace(nn.Linear(2, 2)), "torch.fx generated"),
    "a list": (lambda: [torch.zeros(2)], "builtins.list is no PyTorch model"),
    "module in a dictionary": (lambda: {"net": nn.Linear(2, 2)}, "'net' is a whole Linear in a dictionary"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_names_what_it_is_and_what_to_do(case, registry):
    make, message = REFUSED[case]
    with pytest.raises(UnsupportedModelError, match=message) as raised:
        registry.register_model("m", make(), "pytorch")
    assert raised.value.hint
    assert "\n" not in str(raised.value)
    assert registry.list_models() == []


def test_a_scripted_module_is_sent_to_its_own_format(registry, scripted):
    with pytest.raises(UnsupportedModelError, match='model_format="torchscript"'):
        registry.register_model("m", scripted, "pytorch")


def test_pieces_of_one_storage_that_do_not_overlap_are_no_views(registry):
    model = nn.Module()
    for name, piece in zip("abcd", [*torch.randn(4, 6)[:2], *torch.randn(4, 6).chunk(2, 1)], strict=True):
        model.register_buffer(name, piece)
    registry.register_model("m", model, "pytorch")
    assert all(
        torch.equal(left, right)
        for left, right in zip(registry.load_model("m").model.buffers(), model.buffers(), strict=True)
    )


def test_functions_of_trusted_modules_are_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registry = ModelRegistry(tmp_path / "models", plugins={"pytorch": {"trusted_modules": ["pytorch_zoo"]}})
    registry.register_model("m", having(helper=pytorch_zoo.outputs), "pytorch")
    assert registry.load_model("m").model[0].helper is pytorch_zoo.outputs


def test_compiling_in_place_changes_nothing_that_is_stored(registry):
    model = nn.Linear(2, 2)
    plain = registry.register_model("m", model, "pytorch", version="1.0.0")
    model.compile(backend="eager")
    assert registry.register_model("m", model, "pytorch", version="1.0.0", exist_ok=True).digest == plain.digest
