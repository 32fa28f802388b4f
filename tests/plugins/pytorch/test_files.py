"""Files and dictionaries: what goes in comes out, whatever the file is called."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import pytest
import pytorch_zoo
import torch
from safetensors.torch import save_file
from torch import nn

from model_registry import Content, Kind, UnsupportedModelError, content_of


def checkpoint() -> dict:
    model = pytorch_zoo.Classifier()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 1, 8, 8)).sum().backward()
    optimizer.step()
    return {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [(0.5, True), {"best": float("inf")}],
        "counts": Counter({"a": 2}),
        "shape": torch.Size([1, 2]),
    }


def same(left, right) -> bool:
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right) and left.dtype == right.dtype
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.pth", "checkpoint.bin", "checkpoint.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoint_files_come_back(name, zipped, tmp_path, registry):
    content = checkpoint()
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
    registry.register_model("m", tmp_path / name, "pytorch")
    assert same(registry.load_model("m").model, content)


def test_a_file_with_the_name_of_another_kind_is_told_so(tmp_path, registry):
    torch.save(checkpoint(), tmp_path / "checkpoint.safetensors")
    refusal = r"has the name of a safetensors file, and is .* torch.save .* — rename it, or say .*'pytorch'"
    with pytest.raises(UnsupportedModelError, match=refusal):
        registry.register_model("m", tmp_path / "checkpoint.safetensors")


def test_a_dictionary_in_memory_comes_back(registry):
    content = checkpoint() | {"default": defaultdict(list, {"x": [1]})}
    registry.register_model("m", content, "pytorch")
    assert same(registry.load_model("m").model, content)


def test_a_state_dict_keeps_what_load_state_dict_needs(registry):
    model = pytorch_zoo.Convolutional()
    registry.register_model("m", model.state_dict())
    loaded = registry.load_model("m").model
    assert type(loaded) is OrderedDict
    assert loaded._metadata == model.state_dict()._metadata
    assert pytorch_zoo.Convolutional().load_state_dict(loaded).missing_keys == []


def test_a_safetensors_file_comes_back(tmp_path, registry):
    tensors = {"b": torch.randn(3, dtype=torch.bfloat16), "a": torch.arange(4), "nothing": torch.zeros(0, 3)}
    save_file(tensors, tmp_path / "weights.safetensors")
    registry.register_model("m", tmp_path / "weights.safetensors")
    loaded = registry.load_model("m").model
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert loaded.keys() == tensors.keys()


def test_a_text_path_is_a_path(tmp_path, registry):
    torch.save(pytorch_zoo.Classifier().state_dict(), tmp_path / "c.pt")
    entry = registry.register_model("m", str(tmp_path / "c.pt"))
    assert entry.metadata.format == "pytorch"


def test_views_of_one_storage_in_a_state_dict_are_stored_each(registry):
    whole = torch.randn(4, 4)
    registry.register_model(
        "m", {"whole": whole, "row": whole[1], "column": whole[:, 2], "wide": whole[:1].expand(3, 4)}
    )
    loaded = registry.load_model("m").model
    assert torch.equal(loaded["row"], whole[1])
    assert torch.equal(loaded["column"], whole[:, 2])
    assert torch.equal(loaded["wide"], whole[:1].expand(3, 4))


def test_conjugate_views_are_resolved(registry):
    values = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex64)
    registry.register_model("m", {"plain": values, "conjugate": values.conj()}, "pytorch")
    loaded = registry.load_model("m").model
    assert torch.equal(loaded["conjugate"], values.conj().resolve_conj())
    assert torch.equal(loaded["plain"], values)


def test_keys_that_collide_once_flattened_stay_apart(registry):
    content = {"a": {"b": torch.zeros(2)}, "a.b": torch.ones(2), 1: torch.tensor(1), "1": torch.tensor(2)}
    registry.register_model("m", content, "pytorch")
    assert same(registry.load_model("m").model, content)


def test_a_module_pickled_whole_needs_permission_in_call_and_configuration(tmp_path, monkeypatch):
    from model_registry import ModelRegistry, PermissionRequiredError, UnsafeModelError

    monkeypatch.chdir(tmp_path)
    torch.save(nn.Sequential(nn.Linear(2, 2)), tmp_path / "whole.pt")
    trusting = ModelRegistry(tmp_path / "models", trusted_models=["m"])
    with pytest.raises(PermissionRequiredError):
        ModelRegistry(tmp_path / "models").register_model("m", tmp_path / "whole.pt", weights_only=False)
    with pytest.raises(UnsafeModelError):
        trusting.register_model("m", tmp_path / "whole.pt")
    trusting.register_model("m", tmp_path / "whole.pt", weights_only=False)
    assert isinstance(trusting.load_model("m").model, nn.Sequential)


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path, registry):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("x")
    with pytest.raises(ValueError, match=r"has no module\.json"):
        registry.register_model("m", Path(tmp_path / "folder"), "pytorch")


def written_by_torch(kind, folder, scripted):
    """A file of each kind that torch writes."""
    path = folder / "file.bin"
    if kind is Kind.TORCHSCRIPT:
        torch.jit.save(scripted, str(path))
    elif kind is Kind.EXPORTED_PROGRAM:
        path = folder / "file.pt2"
        torch.export.save(torch.export.export(nn.Linear(3, 2), (torch.zeros(2, 3),)), path)
    elif kind is Kind.TORCH_OBJECTS:
        torch.save(nn.Linear(3, 2), path)
    elif kind is Kind.SAFETENSORS:
        save_file(nn.Linear(3, 2).state_dict(), path)
    else:
        torch.save(nn.Linear(3, 2).state_dict(), path, _use_new_zipfile_serialization=kind is not Kind.TORCH_LEGACY)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        Kind.TORCH_STATE_DICT,
        Kind.TORCH_OBJECTS,
        Kind.TORCH_LEGACY,
        Kind.TORCHSCRIPT,
        Kind.EXPORTED_PROGRAM,
        Kind.SAFETENSORS,
    ],
    ids=lambda kind: kind.id,
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_kind_of_file_that_torch_writes_is_told_apart(kind, tmp_path, scripted):
    assert content_of(written_by_torch(kind, tmp_path, scripted)) == Content(kind)
