"""Module records that ask for more than a module are refused before anything runs."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from model_registry import ModelRegistry


class Payload:
    def __reduce__(self):
        return os.system, ("touch canary",)


def modules(*described):
    return lambda record: record | {"modules": list(described)}


def attribute(name, value):
    def change(record):
        record["modules"][0]["attributes"][name] = value
        return record

    return change


def of_class(module, qualname):
    def change(record):
        record["modules"][0]["class"] = {"module": module, "qualname": qualname}
        return record

    return change


def chain(length, *, twice=False):
    identity = {"class": {"module": "torch.nn.modules.linear", "qualname": "Identity"}, "training": True}
    links = [
        identity | {"children": [["a", index + 1], *([["b", index + 1]] if twice else [])]} for index in range(length)
    ]
    return modules(*links, identity)


def cyclic(record):
    record["modules"][0]["children"] = [["self", 0]]
    return record


def with_tensor(**described):
    def change(record):
        record["tensors"]["weight"] |= described
        return record

    return change


def forward_as_parameter(record):
    record["modules"][0]["parameters"][0][0] = "forward"
    return record


def hook_state(record):
    return attribute("_forward_hooks", {"dict": [[1, {"function": "torch.relu"}]]})(record)


def deep(value, levels):
    for _ in range(levels):
        value = [value]
    return value


def partial_of(function):
    return {"partial": {"function": function, "args": ["touch canary"], "keywords": {}}}


WAYS_OUT = "import .* before loading, or pass trusted_classes=.*, or add .* to trusted_modules"
RECORDS = {
    "names-os.system": (attribute("act", {"function": "os.system"}), "names the function 'os.system'"),
    "names-torch.load": (attribute("act", {"function": "torch.load"}), "names the function 'torch.load'"),
    "names-from_file": (attribute("act", {"function": "torch.from_file"}), "names the function 'torch.from_file'"),
    "names-hub": (attribute("act", {"function": "torch.hub.load"}), "names the function"),
    "names-a-hidden-import": (attribute("act", {"function": "torch.nn.functional.importlib"}), "names the function"),
    "foreign-function": (
        attribute("act", {"foreignFunction": {"module": "os", "qualname": "system"}}),
        "the function os.system, which is neither torch's nor of a trusted module",
    ),
    "partial-of-os.system": (attribute("act", partial_of({"function": "os.system"})), "names the function"),
    "partial-of-text": (attribute("act", partial_of("os.system")), "malformed value of kind 'partial'"),
    "class-os.system": (of_class("os", "system"), "no class os.system"),
    "class-subprocess": (of_class("subprocess", "Popen"), "no class subprocess.Popen"),
    "class-not-imported": (of_class("antigravity", "Window"), WAYS_OUT),
    "class-torch.fx": (of_class("torch.fx.graph_module", "GraphModule"), "no class torch.fx"),
    "class-torch.jit": (of_class("torch.jit._script", "RecursiveScriptModule"), "no class torch.jit"),
    "class-by-dotted-walk": (of_class("torch.nn.modules.module", "torch.hub"), "no class"),
    "class-value": (
        attribute("kind", {"moduleClass": {"module": "builtins", "qualname": "type"}}),
        "no class builtins.type",
    ),
    "dataclass-of-a-call": (
        attribute("d", {"dataclass": {"class": {"module": "subprocess", "qualname": "Popen"}, "fields": {}}}),
        "no class subprocess.Popen",
    ),
    "defaultdict-of-os.system": (
        attribute("d", {"defaultdict": {"factory": {"function": "torch.relu"}, "items": []}}),
        "malformed value of kind 'defaultdict'",
    ),
    "shadows-forward": (attribute("forward", {"function": "torch.relu"}), "sets 'forward', which would hide"),
    "shadows-another-method": (
        attribute("reset_parameters", {"function": "torch.relu"}),
        "sets 'reset_parameters', which would hide",
    ),
    "shadows-forward-by-parameter": (forward_as_parameter, "sets 'forward', which would hide"),
    "sets-dunder": (attribute("__class__", 1), "sets '__class__', which would hide"),
    "sets-hooks": (hook_state, "sets '_forward_hooks', which would hide"),
    "unknown-kind": (attribute("x", {"pickle": "gASVAA=="}), r"malformed value of kind \['pickle'\]"),
    "values-900-deep": (attribute("x", deep(1, 900)), "nests values deeper than 64"),
    "modules-10000-deep": (chain(10_000), "nest deeper than 200"),
    "shared-2-to-the-100": (chain(100, twice=True), "on more than 100,000 paths"),
    "cyclic": (cyclic, "child 'self' of module 0 is 0, which is no later module"),
    "module-out-of-range": (attribute("x", {"module": 7}), "malformed value of kind 'module'"),
    "tensor-that-is-not-there": (attribute("x", {"tensor": "nowhere"}), "malformed value of kind 'tensor'"),
    "strides-beyond": (with_tensor(strides=[1 << 40, 1]), "strides of 'weight' do not fit"),
    "data-of-nothing": (with_tensor(data="nowhere"), "has the data of 'nowhere'"),
    "unknown-key": (lambda record: record | {"run": "os.system"}, "unknown key 'run'"),
    "newer": (lambda record: record | {"schemaVersion": 2}, "schema version 2 and this release reads 1"),
    "no-modules": (modules(), "its kind is 'module' with 0 modules"),
    "list": (lambda record: [record], "no JSON object"),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of a sound version."""
    folder = tmp_path_factory.mktemp("sound")
    registry = ModelRegistry(folder / "models")
    registry.register_model("sound", nn.Linear(3, 2), "pytorch")
    return registry.export_model("sound", "latest", folder / "exported")


@pytest.fixture(scope="module")
def outcomes(exported, tmp_path_factory, run_child):
    folder = tmp_path_factory.mktemp("records")
    control = folder / "control.pt"
    torch.save(Payload(), control)
    for name, (change, _) in RECORDS.items():
        shutil.copytree(exported, folder / name)
        record = folder / name / "module.json"
        record.write_text(json.dumps(change(json.loads(record.read_text()))))
    (folder / "json-10000-deep").mkdir()
    (folder / "json-10000-deep" / "module.json").write_text('{"kind":' + "[" * 100_000)
    names = [*RECORDS, "json-10000-deep"]
    _, *lines, seen = run_child("audited.py", folder, control, *(folder / name for name in names)).splitlines()
    assert "os.system" in json.loads(seen)
    assert not (folder / "canary").exists()
    return dict(zip(names, map(json.loads, lines), strict=True))


@pytest.mark.parametrize("case", [*RECORDS, "json-10000-deep"])
def test_is_refused_before_anything_runs(case, outcomes):
    expected = RECORDS[case][1] if case in RECORDS else "no JSON, or nested too deeply"
    outcome = outcomes[case]
    assert outcome["executed"] == []
    assert outcome["error"] is not None, "it was accepted"
    assert re.search(expected, outcome["error"]), outcome["error"]
    assert "\n" not in outcome["error"]


def test_an_exported_folder_registers_again_with_the_same_files(exported, registry):
    first = registry.register_model("again", Path(exported))
    second = registry.register_model("model", registry.load_model("again").model)
    assert {file.sha256 for file in first.files} == {file.sha256 for file in second.files}


def test_an_index_may_name_only_members(tmp_path, registry):
    registry.register_model("m", nn.Sequential(nn.Linear(700, 500), nn.Linear(500, 700)), "pytorch")
    folder = Path(registry.export_model("m", "latest", tmp_path / "exported"))
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["0.weight"] = "../../../etc/passwd"
    index.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"into '\.\./\.\./\.\./etc/passwd', which is no weight file"):
        registry.register_model("bad", folder, "pytorch")


def test_a_file_must_hold_what_the_index_says(tmp_path, registry):
    registry.register_model("m", nn.Sequential(nn.Linear(700, 500), nn.Linear(700, 500)), "pytorch")
    folder = Path(registry.export_model("m", "latest", tmp_path / "exported"))
    shutil.copy(folder / "model-00002-of-00003.safetensors", folder / "model-00003-of-00003.safetensors")
    with pytest.raises(ValueError, match=r"holds the tensor '0\.weight', unlike the index says"):
        registry.register_model("bad", folder, "pytorch")


def test_a_link_in_a_folder_is_refused(exported, tmp_path, registry):
    folder = shutil.copytree(exported, tmp_path / "linked")
    (Path(folder) / "secret.txt").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match=r"link"):
        registry.register_model("bad", Path(folder), "pytorch")


def test_a_folder_that_names_a_foreign_function_is_not_even_stored(exported, tmp_path, registry):
    folder = Path(shutil.copytree(exported, tmp_path / "foreign"))
    record = json.loads((folder / "module.json").read_text())
    record["modules"][0]["attributes"]["act"] = {"list": [{"function": "os.system"}]}
    (folder / "module.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"names the function 'os\.system', which records may not name"):
        registry.register_model("bad", folder, "pytorch")
    assert registry.list_models() == []


def test_an_attribute_may_be_called_function(tmp_path, registry):
    model = nn.Linear(2, 2)
    model.function = "os.system"
    registry.register_model("m", model, "pytorch")
    entry = registry.register_model("m", Path(registry.export_model("m", "latest", tmp_path / "exported")))
    assert registry.load_model("m", entry.version).model.function == "os.system"
