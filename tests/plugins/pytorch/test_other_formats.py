"""TorchScript, exported programs, detection, memory limits and the options' mistakes."""

from __future__ import annotations

import pytest
import pytorch_zoo
import torch
from safetensors.torch import save_file
from torch import nn

from model_registry import InvalidOptionError, PermissionRequiredError, UnsupportedModelError
from model_registry_pytorch import OutOfDeviceMemoryError
from model_registry_pytorch.detect import detect_model

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@pytest.fixture
def archive(scripted, tmp_path):
    path = tmp_path / "scripted.pt"
    torch.jit.save(scripted, str(path))
    return path


def test_torchscript_is_stored_byte_for_byte_and_never_loaded_when_registered(archive, registry, monkeypatch):
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("loaded"))
    entry = registry.register_model("m", archive)
    assert entry.metadata.format == "torchscript"
    (file,) = entry.files
    assert file.size == archive.stat().st_size


@pytest.mark.parametrize("source", ["file", "object"])
def test_torchscript_loads_only_with_permission(source, archive, scripted, registry):
    registry.register_model("m", archive if source == "file" else scripted, "torchscript")
    with pytest.raises(PermissionRequiredError):
        registry.load_model("m")
    loaded = registry.load_model("m", allow_code=True, device="cpu").model
    given = torch.randn(4, 3)
    assert torch.equal(loaded(given), scripted(given))


def test_torchscript_is_refused_where_it_was_not_asked_for(archive, registry):
    with pytest.raises(UnsupportedModelError, match=r'is a TorchScript archive.*model_format="torchscript"'):
        registry.register_model("m", archive, "pytorch")


def test_other_things_are_no_torchscript(registry, tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "plain.pt")
    for model in (nn.Linear(1, 1), tmp_path / "plain.pt"):
        with pytest.raises(UnsupportedModelError, match='model_format="pytorch"'):
            registry.register_model("m", model, "torchscript")


def test_a_kept_program_runs_where_the_class_is_missing(registry):
    class Gone(pytorch_zoo.Classifier):
        pass

    model = Gone().eval()
    registry.register_model("m", model, "pytorch", keep_program=True, input_shape=[1, 8, 8])
    with pytest.raises(ValueError, match="no class"):
        registry.load_model("m")
    with pytest.raises(PermissionRequiredError, match=r"program\.pt2"):
        registry.load_model("m", as_="program")
    program = registry.load_model("m", as_="program", allow_code=True).model
    given = torch.randn(5, 1, 8, 8)
    assert torch.allclose(program(given), model(given))


def test_a_program_can_be_made_from_example_inputs(registry):
    model = pytorch_zoo.TiedLanguageModel()
    registry.register_model(
        "m", model, "pytorch", keep_program=True, example_inputs=(torch.zeros(2, 3, dtype=torch.long),)
    )
    program = registry.load_model("m", as_="program", allow_code=True).model
    assert program(torch.zeros(2, 3, dtype=torch.long)).shape == (2, 3, 20)
    assert model.training


def test_an_exported_program_file_is_recognised(registry, tmp_path):
    program = torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "program.pt2")
    with pytest.raises(UnsupportedModelError, match=r"is an exported program.*keep_program=True"):
        registry.register_model("m", tmp_path / "program.pt2", "pytorch")


def test_keeping_a_program_needs_to_know_the_input(registry):
    with pytest.raises(InvalidOptionError, match="input_shape"):
        registry.register_model("m", nn.Linear(2, 2), "pytorch", keep_program=True)


def test_a_program_that_was_not_kept_is_missed(registry):
    registry.register_model("m", nn.Linear(2, 2), "pytorch")
    with pytest.raises(UnsupportedModelError, match="keep_program=True"):
        registry.load_model("m", as_="program", allow_code=True)


def test_a_limit_smaller_than_the_model_is_a_memory_error(registry):
    registry.register_model("m", nn.Linear(100, 100), "pytorch")
    with pytest.raises(MemoryError, match=r"40,400 bytes and max_memory grants 10,240 bytes on meta") as raised:
        registry.load_model("m", device="meta", max_memory={"meta": "10KiB"})
    assert isinstance(raised.value, OutOfDeviceMemoryError)
    assert raised.value.needed == 40_400
    registry.load_model("m", max_memory={"cpu": 1, "0": "8GiB"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "warp"}, "device is 'warp'"),
        ({"as_": "onnx"}, "as_ is 'onnx'.*model, state_dict, program"),
        ({"device": "meta", "max_memory": {"cpu": "lots"}}, "max_memory holds 'lots'"),
    ],
)
def test_wrong_options_are_told(options, message, registry):
    registry.register_model("m", nn.Linear(2, 2), "pytorch")
    with pytest.raises(InvalidOptionError, match=message):
        registry.load_model("m", **options)


def objects():
    return {
        "module": (nn.Linear(1, 1), "pytorch"),
        "state dict": ({"w": torch.zeros(1)}, "pytorch"),
        "checkpoint": ({"epoch": 1, "model": {"w": torch.zeros(1)}}, "pytorch"),
        "other dictionary": ({"a": 1}, None),
        "tensor": (torch.zeros(1), None),
        "text": ("model", None),
    }


@pytest.mark.parametrize("case", objects())
def test_detects_objects(case):
    model, expected = objects()[case]
    found = detect_model(model)
    assert (found.format if found else None) == expected


def test_detects_files_by_content(archive, tmp_path, registry):
    torch.save({"a": torch.zeros(1)}, tmp_path / "zip")
    torch.save({"a": torch.zeros(1)}, tmp_path / "legacy", _use_new_zipfile_serialization=False)
    save_file({"a": torch.zeros(1)}, tmp_path / "weights")
    (tmp_path / "text.pt").write_text("hello")
    registry.register_model("m", nn.Linear(1, 1))
    registry.export_model("m", "latest", tmp_path / "folder")
    found = {
        name: detect_model(tmp_path / name) for name in ("zip", "legacy", "weights", "folder", "text.pt", "models")
    }
    assert {name: claim and claim.format for name, claim in found.items()} == {
        "zip": "pytorch",
        "legacy": "pytorch",
        "weights": "pytorch",
        "folder": "pytorch",
        "text.pt": None,
        "models": None,
    }
    assert detect_model(archive).format == "torchscript"


def test_a_scripted_module_is_detected(scripted):
    assert detect_model(scripted).format == "torchscript"
