"""What is told of a model without running it."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import onnx
import onnx_zoo
import pytest
from real_models import SILERO

from model_registry import ModelType


def test_everything_of_a_small_model(registry) -> None:
    entry = registry.register_model("m", onnx_zoo.mlp(doc_string="Four kinds of x."))
    data = entry.metadata
    assert (data.description, data.parameters_count, data.framework) == ("Four kinds of x.", 208, "onnx")
    assert (data.input_shape, data.output_shape) == (["batch", 8], ["batch", 4])
    assert data.extra == {
        "opsets": {"ai.onnx": 17},
        "ir_version": 9,
        "producer": "zoo",
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 8]}],
        "outputs": [{"name": "probabilities", "dtype": "float32", "shape": ["batch", 4]}],
        "operators": {"ai.onnx": {"Gemm": 1, "MatMul": 1, "Relu": 1, "Softmax": 1}},
        "initializers": {"float32": {"tensors": 3, "elements": 208, "bytes": 832}},
        "weights_bytes": 832,
        "multiply_adds": 8 * 16 + 16 * 4,
    }


def test_weights_in_branches_and_constants_count(registry) -> None:
    entry = registry.register_model("m", onnx_zoo.branching())
    assert entry.metadata.parameters_count == 3 * 512
    assert entry.metadata.extra["operators"] == {"ai.onnx": {"Add": 1, "Constant": 1, "If": 1, "Mul": 2}}


def conv(op, weight, x, y):
    node = onnx.helper.make_node(op, ["x", "w"], ["y"], strides=[2, 2])
    return onnx_zoo.model(
        [node], [onnx_zoo.value("x", *x)], [onnx_zoo.value("y", *y)], [onnx_zoo.tensor("w", onnx_zoo.weights(*weight))]
    )


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (conv("Conv", (8, 3, 3, 3), ("n", 3, 9, 9), ("n", 8, 4, 4)), 8 * 4 * 4 * 3 * 3 * 3),
        (conv("ConvTranspose", (3, 8, 2, 2), ("n", 3, 5, 5), ("n", 8, 10, 10)), 3 * 5 * 5 * 8 * 2 * 2),
    ],
    ids=["conv", "transposed"],
)
def test_multiply_adds(registry, model, expected) -> None:
    assert registry.register_model("m", model).metadata.extra["multiply_adds"] == expected


@pytest.mark.parametrize(
    ("op", "kind"), [("LinearClassifier", ModelType.CLASSIFICATION), ("LinearRegressor", ModelType.REGRESSION)]
)
def test_the_type_of_what_was_learned_without_layers(registry, op, kind) -> None:
    attributes = {"coefficients": [1.0, 2.0], "intercepts": [0.0]}
    if op == "LinearClassifier":
        node = onnx.helper.make_node(
            op, ["x"], ["label", "y"], domain="ai.onnx.ml", classlabels_ints=[1], multi_class=0, **attributes
        )
    else:
        node = onnx.helper.make_node(op, ["x"], ["y"], domain="ai.onnx.ml", targets=1, **attributes)
    opsets = [onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    model = onnx_zoo.model([node], [onnx_zoo.value("x", "n", 2)], [onnx_zoo.value("y", "n", 1)], opsets=opsets)
    assert registry.register_model("m", model).metadata.model_type == kind


@pytest.mark.parametrize("path", SILERO, ids=lambda path: path.stem)
def test_real_models_are_described_and_sound(registry, path) -> None:
    entry = registry.register_model("vad", path)
    assert entry.metadata.parameters_count > 300_000
    session, _ = registry.load_model("vad")
    assert [item["name"] for item in entry.metadata.extra["outputs"]] == [item.name for item in session.get_outputs()]
    assert registry.validate_registry()["findings"] == []


def test_tensors_are_told_with_their_places(registry, tmp_path) -> None:
    registry.register_model("m", onnx_zoo.with_external_data(tmp_path))
    same = registry.register_model("m", onnx_zoo.saved(tmp_path))
    comparison = registry.compare("m:1.0.0", same, differences=True)
    assert {change.name: change.status for change in comparison.tensors} == dict.fromkeys(
        ("w1", "b1", "w2"), "identical"
    )
    other = registry.register_model("m", onnx_zoo.mlp(seed=9))
    changed = registry.compare(same, other, differences=True).tensors
    assert sorted(change.name for change in changed) == ["b1", "w1", "w2"]
    expected = float(np.abs(onnx_zoo.weights(16, 4) - onnx_zoo.weights(16, 4, seed=9)).max())
    w2 = next(change for change in changed if change.name == "w2")
    if find_spec("model_registry_pytorch") is not None:  # who measures differences
        assert w2.max_abs == pytest.approx(expected)
