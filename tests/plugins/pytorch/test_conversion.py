"""Modules as ONNX graphs: sizes stay free, and what computes something else is kept by nobody."""

from __future__ import annotations

import logging
import struct

import numpy as np
import pytest
import torch
from torch import nn

from model_registry import InvalidOptionError, ParityError, UnsupportedFormatError, UnsupportedModelError

pytest.importorskip("model_registry_onnx")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class Reader(nn.Module):
    """Takes whole numbers and, if it gets them, weights; gives a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens, scale):
        hidden = (self.embedding(tokens) * scale.unsqueeze(-1)).mean(1)
        return {"logits": self.head(hidden), "hidden": hidden}


class Moody(nn.Module):
    """Does not compute the same when it is traced."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x) + (1.0 if torch.compiler.is_compiling() else 0.0)


class Choosing(nn.Module):
    """Has a branch that depends on the values."""

    def forward(self, x):
        return x * 2 if x.sum().item() > 0 else x


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))


@pytest.fixture
def filled(registry):
    registry.register_model("mlp", mlp().train(), input_shape=[8], description="two kinds", tags=["x"])
    return registry


def run(path, **inputs):
    return onnxruntime.InferenceSession(str(path)).run(None, inputs)


def test_an_export_computes_the_same_at_any_batch(filled, tmp_path) -> None:
    path = filled.export_model("mlp", "latest", tmp_path / "mlp.onnx")
    assert path == str(tmp_path / "mlp.onnx")
    assert path.parity.passed
    assert [run["batch"] for run in path.parity.runs] == [2, 1, 3]
    model = filled.load_model("mlp").model.eval()
    for batch in (1, 2, 7):
        given = torch.rand(batch, 8)
        np.testing.assert_allclose(run(path, input=given.numpy())[0], model(given).detach().numpy(), atol=1e-6)
    graph = onnx.load(path).graph
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_nothing_of_the_machine_is_in_the_graph(filled, tmp_path) -> None:
    path = filled.export_model("mlp", "latest", tmp_path / "mlp.onnx")
    content = (tmp_path / "mlp.onnx").read_bytes()
    assert b".py" not in content
    assert b"site-packages" not in content
    assert all(not node.metadata_props and not node.doc_string for node in onnx.load(path).graph.node)


def test_a_conversion_is_a_version_with_its_lineage_and_figures(filled) -> None:
    entry = filled.convert("mlp", to="onnx")
    assert (entry.reference, entry.metadata.format) == ("mlp:1.0.1", "onnx")
    (parent,) = entry.parents
    assert (parent.relation, parent.reference) == ("converted", "mlp:1.0.0")
    assert (entry.metadata.description, entry.metadata.tags) == ("two kinds", ["x"])
    told = entry.metadata.extra["conversion"]
    assert (told["from"], told["steps"]) == ("mlp:1.0.0", "pytorch → onnx")
    assert told["parity"]["passed"] is True
    (output,) = told["parity"]["outputs"]
    assert 0 <= output["max_abs"] < 1e-5
    assert output["cosine"] > 0.99999
    assert filled.lineage("mlp", "1.0.0").children[0].reference == "mlp:1.0.1"


def test_a_chain_of_steps_is_planned_and_gone(filled, tmp_path) -> None:
    assert [str(step) for step in filled.plan_conversion("mlp", "latest", "ort")] == ["pytorch → onnx", "onnx → ort"]
    assert filled.plan_conversion("mlp", "latest", "pytorch") == []
    assert [str(s) for s in filled.plan_conversion("mlp", path="x.ort")] == ["pytorch → onnx", "onnx → ort"]
    entry = filled.convert("mlp", to="ort", new_name="fast", new_version="9")
    assert (entry.reference, [file.path for file in entry.files]) == ("fast:9", ["model.ort"])
    assert entry.metadata.extra["conversion"]["steps"] == "pytorch → onnx → ort"
    assert filled.export_model("mlp", "latest", tmp_path / "m.ort").parity.passed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.ort", "models"]


def test_what_is_impossible_is_told_with_what_is_possible(filled) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"possible: onnx, ort, pytorch, safetensors, state_dict$"):
        filled.convert("mlp", to="tflite")
    filled.convert("mlp", to="onnx", new_name="graph")
    with pytest.raises(UnsupportedFormatError, match="no library that is still kept makes a PyTorch module of an ONNX"):
        filled.convert("graph", to="pytorch")
    with pytest.raises(InvalidOptionError, match=r"mlp:1.0.0 is pytorch already"):
        filled.convert("mlp", to="pytorch")


def test_what_computes_something_else_is_kept_by_nobody(registry, tmp_path, caplog) -> None:
    registry.register_model("moody", Moody(), input_shape=[4])
    message = r"moody:1.0.0 as onnx: the result computes something else: output does not agree: greatest difference 1"
    with pytest.raises(ParityError, match=message) as refused:
        registry.convert("moody", to="onnx")
    assert refused.value.report.outputs[0].max_abs == pytest.approx(1)
    with pytest.raises(ParityError):
        registry.export_model("moody", "latest", tmp_path / "m.onnx")
    assert len(registry.list_models()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]
    kept = registry.convert("moody", to="onnx", allow_mismatch=True)
    assert kept.metadata.extra["conversion"]["parity"]["passed"] is False
    assert kept.metadata.extra["conversion"]["parity"]["outputs"][0]["max_abs"] == pytest.approx(1)
    assert "kept though it computes something else" in caplog.text
    unchecked = registry.convert("moody", "1.0.0", to="onnx", check=False)
    told = unchecked.metadata.extra["conversion"]["parity"]
    assert told == {"checked": False, "reason": "nobody wanted it to be checked"}
    tolerant = registry.convert("moody", "1.0.0", to="onnx", tolerance=10.0)
    assert tolerant.metadata.extra["conversion"]["parity"]["passed"] is True


def test_what_is_lossless_is_not_run(filled, tmp_path) -> None:
    path = filled.export_model("mlp", "latest", tmp_path / "m.safetensors")
    assert (path.parity.passed, path.parity.skipped) == (None, "the weights come back bit by bit")


def test_inputs_that_are_stored_with_a_model(registry, tmp_path) -> None:
    torch.manual_seed(0)
    examples = (torch.randint(10, 50, (1, 7)), torch.rand(1, 7))
    entry = registry.register_model("reader", Reader(), example_inputs=examples)
    assert "example_inputs.safetensors" in [file.path for file in entry.files]
    assert registry.validate_registry()["findings"] == []
    axes = {name: {0: "batch", 1: "length"} for name in ("tokens", "scale")}
    made = registry.convert("reader", to="onnx", dynamic_axes=axes)
    runs = made.metadata.extra["conversion"]["parity"]["runs"]
    assert runs == [
        {"stored": 1},
        {"batch": 2, "length": 5},
        {"batch": 1, "length": 13},
        {"batch": 3, "length": 8},
    ]
    session, _ = registry.load_model("reader", "1.0.1")
    assert [item.name for item in session.get_inputs()] == ["tokens", "scale"]
    assert [item.name for item in session.get_outputs()] == ["logits", "hidden"]
    logits, _ = session.run(None, {"tokens": np.full((4, 11), 3), "scale": np.ones((4, 11), np.float32)})
    assert logits.shape == (4, 3)


def test_inputs_of_the_callers(registry) -> None:
    registry.register_model("mlp", mlp(), input_shape=[8])
    given = [{"input": torch.full((5, 8), value)} for value in (0.0, 100.0)]
    report = registry.export_model("mlp", "latest", "m.onnx", inputs=given).parity
    assert report.runs[:2] == [{"given": 1}, {"given": 2}]


def test_two_versions_can_be_compared_by_what_they_compute(filled) -> None:
    filled.convert("mlp", to="onnx", new_name="graph")
    assert filled.check_parity("mlp:1.0.0", "graph").passed
    torch.manual_seed(1)
    filled.register_model("mlp", nn.Sequential(nn.Linear(8, 2)), input_shape=[8])
    assert not filled.check_parity("mlp:1.0.0", "mlp:1.0.1").passed


def test_a_module_of_which_nobody_knows_what_it_takes(registry) -> None:
    registry.register_model("m", nn.Linear(2, 2))
    with pytest.raises(UnsupportedModelError, match=r"nobody knows what it takes — register it with example_inputs="):
        registry.convert("m", to="onnx")
    registry.register_model("state", nn.Linear(2, 2).state_dict(), input_shape=[2])
    with pytest.raises(UnsupportedModelError, match="the version holds tensors, and no module that could be run"):
        registry.convert("state", to="onnx")


def test_sizes_with_names_stay_free(registry) -> None:
    registry.register_model("m", nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1)), input_shape=["sequence", 4])
    made = registry.convert("m", to="onnx")
    assert made.metadata.extra["conversion"]["parity"]["runs"][1] == {"batch": 1, "sequence": 13}
    assert made.metadata.input_shape == ["batch", "sequence", 4]


def test_the_opset_is_the_one_asked_for(filled, tmp_path) -> None:
    path = filled.export_model("mlp", "latest", tmp_path / "m.onnx", opset=18)
    assert [item.version for item in onnx.load(path).opset_import if not item.domain] == [18]


def test_half_precision_is_compared_as_such(registry) -> None:
    registry.register_model("m", mlp().bfloat16(), input_shape=[8])
    (output,) = registry.convert("m", to="onnx").metadata.extra["conversion"]["parity"]["outputs"]
    assert output["tolerance"] == 5e-2


def test_what_cannot_be_traced_is_told(registry) -> None:
    registry.register_model("m", Choosing(), input_shape=[4])
    with pytest.raises(UnsupportedModelError, match="torch cannot write this model as an ONNX graph: "):
        registry.convert("m", to="onnx")
    assert len(registry.list_models()) == 1


@pytest.mark.parametrize("given", ["text", [1, 2], torch.zeros(1).bfloat16(), {"x": object()}])
def test_example_inputs_that_cannot_be_kept(registry, given, caplog) -> None:
    """A plugin that takes them itself, as for ``keep_program``, may have a use for them; the others have none."""
    entry = registry.register_model("m", nn.Linear(2, 2), example_inputs=given, input_shape=[2])
    assert "example_inputs.safetensors" not in [file.path for file in entry.files]
    assert "example_inputs are used, and not stored: the input" in caplog.text
    with pytest.raises(InvalidOptionError, match="that cannot be kept"):
        registry.convert("m", to="onnx", new_name="graph", inputs=given)


def test_a_file_of_examples_that_was_changed_is_told(registry, tmp_path) -> None:
    registry.register_model("m", nn.Linear(2, 2), example_inputs=torch.zeros(1, 2))
    folder = tmp_path / "out"
    registry.export_model("m", "latest", folder)
    examples = folder / "example_inputs.safetensors"
    for content in (b"", b"x" * 30, struct.pack("<Q", 2) + b"[]", examples.read_bytes()[:-3]):
        examples.write_bytes(content)
        entry = registry.register_model("again", folder)
        with pytest.raises(Exception, match=r"example_inputs.safetensors") as told:
            registry.convert("again", entry.version, to="onnx")
        assert type(told.value).__name__ == "UnsafeModelError"


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.WARNING)
