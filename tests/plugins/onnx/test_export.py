"""Other opsets, external data, ONNX Runtime's own format, and paths that exporters leave."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_zoo
import onnxruntime
import pytest

from model_registry import InvalidOptionError, UnsupportedModelError


def run(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, onnx_zoo.inputs())[0]


@pytest.fixture
def expected(registry, tmp_path):
    registry.register_model("m", onnx_zoo.mlp())
    return run(onnx_zoo.saved(tmp_path))


@pytest.mark.parametrize("opset", [14, 17, 18, 21])
def test_another_opset_is_really_that(registry, tmp_path, expected, opset) -> None:
    path = registry.export_model("m", "latest", tmp_path / "other.onnx", "onnx", opset=opset)
    assert [item.version for item in onnx.load(path).opset_import] == [opset]
    np.testing.assert_allclose(run(path), expected, rtol=1e-6)


@pytest.mark.parametrize("opset", [0, 99, "17", True, 17.0])
def test_what_is_no_opset(registry, tmp_path, expected, opset) -> None:
    with pytest.raises(InvalidOptionError, match=r"opset is .* — give a number from 1 to \d+"):
        registry.export_model("m", "latest", tmp_path / "other.onnx", opset=opset)
    assert not (tmp_path / "other.onnx").exists()


def test_an_opset_that_cannot_be_is_told(registry, tmp_path) -> None:
    node = onnx.helper.make_node("HardSwish", ["x"], ["y"])  # since opset 14
    values = [[onnx_zoo.value(name, "n")] for name in "xy"]
    registry.register_model("m", onnx_zoo.model([node], *values))
    with pytest.raises(UnsupportedModelError, match=r"cannot be converted to opset 9: No (Adapter|Previous Version)"):
        registry.export_model("m", "latest", tmp_path / "old.onnx", opset=9)
    assert not list(tmp_path.glob("*old*"))


def test_with_external_data_and_without(registry, tmp_path, expected) -> None:
    folder = tmp_path / "split"
    registry.register_model("wide", onnx_zoo.wide())
    registry.export_model("wide", "latest", folder, external_data=True)
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert (folder / "model.onnx").stat().st_size < 2000
    registry.export_model("wide", "latest", tmp_path / "whole.onnx", external_data=False)
    feed = {"x": onnx_zoo.weights(2, onnx_zoo.SIZE)}
    one, other = (onnxruntime.InferenceSession(str(path)) for path in (folder / "model.onnx", tmp_path / "whole.onnx"))
    assert np.array_equal(one.run(None, feed)[0], other.run(None, feed)[0])
    again = registry.register_model("again", folder / "model.onnx")
    assert [file.path for file in again.files] == ["model.onnx", "model.onnx.data"]


def test_the_runtimes_own_format(registry, tmp_path, expected) -> None:
    path = registry.export_model("m", "latest", tmp_path / "fast.ort")
    assert (tmp_path / "fast.ort").read_bytes()[4:8] == b"ORTM"
    np.testing.assert_allclose(run(path), expected, rtol=1e-6)
    entry = registry.register_model("fast", path)
    assert entry.metadata.format == "ort"
    np.testing.assert_allclose(registry.load_model("fast").model.run(None, onnx_zoo.inputs())[0], expected, rtol=1e-6)


def test_as_it_is_without_options(registry, tmp_path, expected) -> None:
    path = registry.export_model("m", "latest", tmp_path / "same.onnx")
    assert onnx.load(path) == onnx_zoo.mlp()


def with_paths():
    model = onnx_zoo.mlp(doc_string='made by File "/home/ada/train.py", line 3')
    trace = 'File "/home/ada/net.py", line 7, in forward'
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=trace)
    model.graph.node[0].metadata_props.add(key="namespace", value=": Net/first: Linear")
    model.graph.input[0].doc_string = "C:\\Users\\ada\\net.py:7"
    return model


@pytest.mark.parametrize("kind", ["proto", "bytes", "file"])
def test_paths_are_taken_out_on_request(registry, tmp_path, kind) -> None:
    model = with_paths()
    source = {"proto": model, "bytes": model.SerializeToString(), "file": onnx_zoo.saved(tmp_path, model)}[kind]
    registry.register_model("m", source, strip_paths=True)
    stored = registry.load_model("m", as_="proto").model
    assert b"ada" not in stored.SerializeToString()
    assert [entry.key for entry in stored.graph.node[0].metadata_props] == ["namespace"]
    assert run(registry.export_model("m", "latest", tmp_path / "m.onnx")).shape == (3, 4)
    registry.register_model("kept", source)
    assert b"ada" in registry.load_model("kept", as_="proto").model.SerializeToString()
    assert b"ada" in model.SerializeToString(), "the caller's own model was changed"
    registry.export_model("kept", "latest", tmp_path / "clean.onnx", strip_paths=True)
    assert b"ada" not in (tmp_path / "clean.onnx").read_bytes()
