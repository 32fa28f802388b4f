"""What can be registered, and what comes back."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_zoo
import onnxruntime
import pytest
from real_models import MAGIKA

from model_registry import InvalidOptionError, ModelFormat, ModelType, UnsafeModelError, UnsupportedModelError


def test_the_specifications_snippet(registry, tmp_path) -> None:
    onnx_model = onnx.load(onnx_zoo.saved(tmp_path))
    entry = registry.register_model(
        name="onnx_model", model=onnx_model, model_format=ModelFormat.ONNX, description="ONNX格式模型"
    )
    assert entry.metadata.description == "ONNX格式模型"
    assert entry.metadata.model_type == ModelType.CLASSIFICATION


def test_the_callers_word_on_the_type_wins(registry) -> None:
    for said in (ModelType.CUSTOM, ModelType.AUDIO):
        entry = registry.register_model("m", onnx_zoo.mlp(), model_type=said)
        assert entry.metadata.model_type == said


@pytest.mark.skipif(not MAGIKA.is_file(), reason="magika is not installed")
def test_a_real_model_runs_as_from_its_file(registry) -> None:
    entry = registry.register_model("magika", MAGIKA)
    session, tokenizer = registry.load_model("magika")
    content = np.full((1, 2048), 256, np.int32)
    content[0, :20] = list(b"import os\nprint(1)\n\n")
    expected = onnxruntime.InferenceSession(str(MAGIKA)).run(None, {"bytes": content})
    assert np.array_equal(session.run(None, {"bytes": content})[0], expected[0])
    assert tokenizer is None
    assert entry.verify_integrity()
    assert [file.path for file in entry.files] == ["model.onnx"]
    assert entry.size == MAGIKA.stat().st_size


def test_versions_of_a_model_in_memory_share_the_tensors_that_are_equal(registry) -> None:
    first = registry.register_model("m", onnx_zoo.wide())
    second = registry.register_model("m", onnx_zoo.wide(changed=1))
    paths = {file.path: file.sha256 for file in first.files}
    changed = [file.path for file in second.files if paths[file.path] != file.sha256]
    assert sorted(paths) == ["model-00001.data", "model-00002.data", "model-00003.data", "model.onnx"]
    assert changed == ["model-00003.data"]
    comparison = registry.compare(first, second)
    assert [change.name for change in comparison.tensors if change.status == "changed"] == ["w2"]


def test_a_model_in_memory_is_left_as_it_was(registry) -> None:
    model = onnx_zoo.wide()
    before = model.SerializeToString(deterministic=True)
    registry.register_model("m", model)
    assert model.SerializeToString(deterministic=True) == before


def test_external_data_become_members(registry, tmp_path) -> None:
    path = onnx_zoo.with_external_data(tmp_path)
    entry = registry.register_model("m", path)
    assert [file.path for file in entry.files] == ["model.onnx", "weights/all.bin"]
    path.unlink()
    (tmp_path / "weights" / "all.bin").unlink()
    session, _ = registry.load_model("m")
    assert session.run(None, onnx_zoo.inputs())[0].shape == (3, 4)


def test_more_than_two_gibibytes(registry, tmp_path) -> None:
    """One tensor of 2.2 GiB in a file of its own, of which only the beginning is written."""
    rows = 9 << 26
    gathered = onnx.helper.make_node("Gather", ["table", "rows"], ["y"])
    table = onnx.TensorProto(name="table", data_type=onnx.TensorProto.FLOAT, dims=[rows, 1], data_location=1)
    for key, value in (("location", "table.bin"), ("offset", "0"), ("length", str(rows * 4))):
        table.external_data.add(key=key, value=value)
    inputs = [onnx_zoo.value("rows", "n", dtype=onnx.TensorProto.INT64)]
    onnx.save(onnx_zoo.model([gathered], inputs, [onnx_zoo.value("y", "n", 1)], [table]), tmp_path / "large.onnx")
    with (tmp_path / "table.bin").open("wb") as file:
        file.write(np.arange(4, dtype=np.float32).tobytes())
        file.truncate(rows * 4)
    entry = registry.register_model("m", tmp_path / "large.onnx")
    assert entry.size > 2 << 30
    assert entry.metadata.parameters_count == rows
    session, _ = registry.load_model("m")
    assert session.run(None, {"rows": np.array([3, rows - 1])})[0].tolist() == [[3.0], [0.0]]
    registry.remove_model("m")
    registry.collect_garbage(0)


def test_several_models_of_one_folder(registry, tmp_path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    onnx.save(onnx_zoo.mlp(1), folder / "encoder.onnx")
    onnx.save(onnx_zoo.mlp(2), folder / "decoder.onnx")
    entry = registry.register_model("m", folder)
    sessions, _ = registry.load_model("m")
    assert sorted(sessions) == ["decoder", "encoder"]
    assert sessions["encoder"].run(None, onnx_zoo.inputs())[0].shape == (3, 4)
    assert sorted(entry.metadata.extra["models"]) == ["decoder", "encoder"]
    assert entry.metadata.parameters_count == 2 * 208


def test_a_tokenizer_that_stands_beside_the_model_comes_too(registry, tmp_path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    folder = tmp_path / "both"
    folder.mkdir()
    onnx_zoo.saved(folder)
    words.save(str(folder / "tokenizer.json"))
    registry.register_model("m", folder)
    assert registry.load_model("m").tokenizer.encode("b").ids == [1]


def test_options_of_sessions_reach_the_runtime(registry) -> None:
    registry.register_model("m", onnx_zoo.mlp())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session, _ = registry.load_model("m", session_options=options, providers=["CPUExecutionProvider"])
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().intra_op_num_threads == 1
    assert registry.load_model("m", device="cpu").model.get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "abacus"}, "device is 'abacus', which this onnxruntime cannot use — usable here: cpu"),
        ({"device": "cuda:0"}, "device is 'cuda:0', which this onnxruntime cannot use"),
        ({"as_": "graph"}, "as_ is 'graph' — choose one of session, proto"),
        ({"session_options": {"a": 1}}, "session_options is a dict — give an onnxruntime.SessionOptions"),
    ],
)
def test_options_that_make_no_sense(registry, options, message) -> None:
    registry.register_model("m", onnx_zoo.mlp())
    with pytest.raises(InvalidOptionError, match=message):
        registry.load_model("m", **options)


def test_what_is_no_model(registry, tmp_path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"a builtins.dict is no ONNX model — give an onnx.ModelProto"):
        registry.register_model("m", {"a": 1}, "onnx")
    (tmp_path / "notes.onnx").write_text("notes")
    with pytest.raises(UnsupportedModelError, match=r"notes.onnx is a text file, not an ONNX model"):
        registry.register_model("m", tmp_path / "notes.onnx", "onnx")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnsupportedModelError, match=r"has no file that ends in .onnx"):
        registry.register_model("m", tmp_path / "folder", "onnx")


def test_a_proto_whose_weights_are_in_files_needs_its_path(registry, tmp_path) -> None:
    model = onnx.load(onnx_zoo.with_external_data(tmp_path), load_external_data=False)
    message = r"the tensor 'w1' has its bytes in the file 'weights/all.bin', not in memory — give the path"
    with pytest.raises(UnsupportedModelError, match=message):
        registry.register_model("m", model)


def test_a_library_that_a_model_asks_for_is_never_loaded(registry, tmp_path, monkeypatch) -> None:
    """Its domain is told, loading fails, and the file beside it with the library's name is not opened."""
    monkeypatch.chdir(tmp_path)
    node = onnx.helper.make_node("Evil", ["x"], ["y"], domain="evil.so")
    values = [[onnx_zoo.value(name, "n")] for name in "xy"]
    model = onnx_zoo.model([node], *values, opsets=[onnx.helper.make_opsetid("evil.so", 1)])
    (tmp_path / "evil.so").write_bytes(b"\x7fELF")
    registry.register_model("m", model)
    findings = registry.validate_registry()["findings"]
    assert [finding.code for finding in findings] == ["operators-unknown"]
    assert "its operators of evil.so are of no known library" in findings[0].message
    with pytest.raises(UnsafeModelError, match=r"onnxruntime cannot use model.onnx"):
        registry.load_model("m")


def test_a_function_of_the_model_itself_is_known(registry) -> None:
    body = [onnx.helper.make_node("Add", ["a", "a"], ["b"])]
    twice = onnx.helper.make_function("mine", "Twice", ["a"], ["b"], body, [onnx.helper.make_opsetid("", 17)])
    node = onnx.helper.make_node("Twice", ["x"], ["y"], domain="mine")
    values = [[onnx_zoo.value(name, "n")] for name in "xy"]
    opsets = [onnx.helper.make_opsetid("mine", 1)]
    registry.register_model("m", onnx_zoo.model([node], *values, opsets=opsets, functions=[twice]))
    assert registry.validate_registry()["findings"] == []
    assert registry.load_model("m").model.run(None, {"x": np.ones(2, np.float32)})[0].tolist() == [2.0, 2.0]
