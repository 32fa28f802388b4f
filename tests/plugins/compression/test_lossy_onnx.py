"""Smaller models of ONNX, by ONNX Runtime's own tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from model_registry import CompressionType, InvalidOptionError, ModelRegistry, ParityError, UnsupportedModelError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("model_registry_onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

CALIBRATION = [{"x": numpy.random.default_rng(i).normal(size=(4, 128)).astype("float32")} for i in range(8)]
#: Type, options, the greatest ratio and the least cosine.
WAYS: list[tuple[str, dict[str, Any], float, float]] = [
    (CompressionType.QUANTIZATION_INT8, {}, 0.30, 0.999),
    (CompressionType.QUANTIZATION_INT8, {"per_channel": False}, 0.30, 0.999),
    (CompressionType.QUANTIZATION_INT8, {"calibration": CALIBRATION}, 0.30, 0.99),
    (CompressionType.QUANTIZATION_INT4, {}, 0.22, 0.98),
    (CompressionType.FP16, {}, 0.54, 0.9999),
    (CompressionType.BF16, {}, 0.54, 0.999),
    (CompressionType.QUANTIZATION_FP8, {}, 0.30, 0.99),
    (CompressionType.PRUNING_UNSTRUCTURED, {"sparsity": 0.5}, 0.57, 0.80),
    (CompressionType.PRUNING_STRUCTURED, {"sparsity": 0.25}, 0.80, 0.60),
    (CompressionType.LOW_RANK, {"rank": 40}, 0.60, 0.40),
]


def make(width: int = 256) -> Any:
    rng = numpy.random.default_rng(0)
    sizes = [(128, width), (width, 128)]
    weights = [
        numpy_helper.from_array((rng.normal(size=s) / s[0] ** 0.5).astype("float32"), f"w{i}")
        for i, s in enumerate(sizes)
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["r"], name="act"),
        helper.make_node("MatMul", ["r", "w1"], ["y"], name="second"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 128]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def opened(path: str) -> int:
    """How many nodes are left when ONNX Runtime has opened the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = f"{path}.opened"
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return len(onnx.load(f"{path}.opened", load_external_data=False).graph.node)


@pytest.mark.parametrize(("kind", "options", "ratio", "cosine"), WAYS)
def test_smaller_and_near(tmp_path: Path, kind: str, options: dict[str, Any], ratio: float, cosine: float) -> None:
    registry = ModelRegistry(tmp_path / "r")
    source = registry.register_model("m", make(), version="1.0.0")
    made = registry.compress_model("m", "1.0.0", kind, **options)
    assert made.metadata.compression_type == kind
    assert made.metadata.compression_ratio == pytest.approx(made.size / source.size)
    assert made.size / source.size <= ratio
    [output] = made.metadata.extra["compression"]["parity"]["outputs"]
    assert cosine <= output["cosine"] <= 1 + 1e-9
    session = registry.load_model("m", made.version).model
    path = str(registry.export_model("m", made.version, str(tmp_path / "m.onnx")))
    assert opened(path) <= 8, "what computes the weights is computed each time"
    [found] = session.run(None, {"x": CALIBRATION[0]["x"]})
    assert found.dtype == numpy.float32
    assert found.shape == (4, 128)
    assert [entry.version for entry in registry.list_models()] == ["1.0.0", "1.0.1"]


def test_weights_in_files_of_their_own(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "r")
    (tmp_path / "m" / "onnx").mkdir(parents=True)
    onnx.save(make(512), tmp_path / "m" / "onnx" / "model.onnx", save_as_external_data=True, location="model.data")
    registry.register_model("m", tmp_path / "m", "onnx", version="1")
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, min_cosine=0.99)
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio < 0.3


def linear(turned: bool) -> Any:
    """A linear layer and a convolution, as exporters write them; of an old opset."""
    rng = numpy.random.default_rng(0)
    kernel = (rng.normal(size=(32, 3, 5, 5)) / 9).astype("float32")
    matrix = (rng.normal(size=(512, 64)) / 23).astype("float32")
    weights = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(numpy.ascontiguousarray(matrix.T) if turned else matrix, "matrix"),
        numpy_helper.from_array(numpy.zeros(64, "float32"), "bias"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "matrix", "bias"], ["y"], transB=int(turned)),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])
    told = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64])
    graph = helper.make_graph(nodes, "g", [given], [told], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("kind", "ratio", "cosine"), [(way[0], way[2], way[3]) for way in WAYS if not way[1] or len(way[1]) == 1]
)
def test_linear_layers_and_convolutions(tmp_path: Path, kind: str, ratio: float, cosine: float, turned: bool) -> None:
    options = {CompressionType.LOW_RANK: {"rank": 24}}.get(kind, {})
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", linear(turned), version="1")
    made = registry.compress_model("m", "1", kind, **options)
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio <= ratio + 0.2
    [output] = made.metadata.extra["compression"]["parity"]["outputs"]
    assert output["cosine"] >= cosine


ALL = [way for way in WAYS if "calibration" not in way[1]]


@pytest.mark.parametrize(("kind", "options", "ratio", "cosine"), ALL)
@pytest.mark.parametrize("opset", [9, 11])
def test_models_as_they_were_written_years_ago(
    tmp_path: Path, kind: str, options: dict[str, Any], ratio: float, cosine: float, opset: int
) -> None:
    """Weights are inputs as well, and what is newer than the opset is not there."""
    model = make()
    model.opset_import[0].version = opset
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims))
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", model, version="1")
    made = registry.compress_model("m", "1", kind, min_cosine=cosine, **options)
    assert made.size / registry.resolve("m", "1").size <= ratio


@pytest.mark.parametrize(("kind", "options", "ratio", "cosine"), ALL)
def test_weights_that_others_use_too(
    tmp_path: Path, kind: str, options: dict[str, Any], ratio: float, cosine: float
) -> None:
    """One inside another graph, and names that a tool might like as well."""
    model = make()
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("MatMul", ["r", "w1"], [f"{name}_y"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)],
        )
        for name in ("then", "else")
    }
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(numpy.array(True), "stored.yes"))
    graph.initializer.append(numpy_helper.from_array(numpy.array([[2.0]], "float32"), "stored.two"))
    graph.node.append(helper.make_node("If", ["stored.yes"], ["z"], **branches))
    graph.node.append(helper.make_node("Mul", ["z", "stored.two"], ["doubled"]))
    graph.output.append(helper.make_tensor_value_info("doubled", TensorProto.FLOAT, ["batch", 128]))
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", model, version="1")
    made = registry.compress_model("m", "1", kind, min_cosine=cosine, **options)
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio <= max(ratio, 0.9)


@pytest.mark.parametrize("kind", [CompressionType.QUANTIZATION_FP8, CompressionType.PRUNING_UNSTRUCTURED])
def test_half_precision_and_constants(tmp_path: Path, kind: str) -> None:
    model = make()
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    constants = []
    for tensor in list(model.graph.initializer):
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float16"))
        constants.append(helper.make_node("Constant", [], [tensor.name], value=half))
        model.graph.initializer.remove(tensor)
    nodes = [*constants, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", model, version="1")
    made = registry.compress_model("m", "1", kind, min_cosine=0.8)
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio < 0.7


def test_inputs_for_calibration_in_order(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    for given in ([one["x"] for one in CALIBRATION], [(one["x"],) for one in CALIBRATION]):
        made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, calibration=given)
        assert made.metadata.compression_ratio is not None
        assert made.metadata.compression_ratio < 0.3


def test_inputs_for_calibration_have_the_names_of_the_model(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    with pytest.raises(InvalidOptionError, match="calibration gives pixels — the model takes x"):
        registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, calibration=[{"pixels": [1.0]}])


def test_what_is_seen_is_what_it_is_judged_by(tmp_path: Path) -> None:
    """Inputs a hundred times as small as made ones: calibrated by them, only they are near."""
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    small = [{"x": one["x"] / 100} for one in CALIBRATION]
    made = registry.compress_model(
        "m", "1", CompressionType.QUANTIZATION_INT8, calibration=small, inputs=small, min_cosine=0.99
    )
    assert len(made.metadata.extra["compression"]["parity"]["runs"]) == len(small)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_what_torch_exports_gets_short_types(tmp_path: Path) -> None:
    """It tells the types of all that lies between, which have to change with the rest."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    pytest.importorskip("model_registry_pytorch")
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    registry = ModelRegistry(tmp_path)
    encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    registry.register_model("m", encoder, version="1", example_inputs=(torch.randn(2, 5, 64),))
    registry.convert("m", "1", to="onnx", new_name="o", new_version="1")
    made = registry.compress_model("o", "1", CompressionType.FP16, min_cosine=0.999)
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio < 0.6


def test_types_that_cannot_be_inferred_are_those_that_were_told(tmp_path: Path) -> None:
    model = make()
    nodes = list(model.graph.node)
    nodes[1] = helper.make_node("FastGelu", ["h"], ["r"], domain="com.microsoft")
    scale = numpy_helper.from_array(numpy.ones(256, "float32"), "scale")
    nodes.insert(2, helper.make_node("LayerNormalization", ["r", "scale"], ["n"]))
    nodes[3] = helper.make_node("MatMul", ["n", "w1"], ["y"])
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(scale)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    for name in ("h", "r", "n"):
        model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 256]))
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", model, version="1")
    made = registry.compress_model("m", "1", CompressionType.FP16, min_cosine=0.999)
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio < 0.6


def test_models_of_more_than_a_protobuf_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model_registry_compression.lossy import onnx_models

    monkeypatch.setattr(onnx_models, "_MOST_BYTES", 1000)
    registry = ModelRegistry(tmp_path / "r")
    registry.register_model("m", make(), version="1")
    for kind in (CompressionType.QUANTIZATION_INT8, CompressionType.FP16):
        made = registry.compress_model("m", "1", kind, min_cosine=0.99)
        folder = Path(registry.export_model("m", made.version, str(tmp_path / kind)))
        large = [file for file in folder.iterdir() if file.suffix == ".data"]
        assert len(large) == 1
        assert large[0].stat().st_size > 10 * sum(file.stat().st_size for file in folder.glob("*.onnx"))


def test_what_gains_nothing_or_is_too_bad_is_refused(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    large = {"x": numpy.zeros((2000, 128), "float32")}  # stored beside the model, and no gain
    registry.register_model("m", make(), version="1", example_inputs=large)
    with pytest.raises(UnsupportedModelError, match="makes nothing of m:1 smaller"):
        registry.compress_model("m", "1", CompressionType.LOW_RANK, rank=10_000)
    with pytest.raises(ParityError, match=r"less than min_cosine=0\.9999"):
        registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT4, inputs=CALIBRATION, min_cosine=0.9999)
    with pytest.raises(InvalidOptionError, match="calibration is a int"):
        registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, calibration=3)
    with pytest.raises(InvalidOptionError, match="block_size is 7"):
        registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT4, block_size=7)
    assert len(registry.list_models()) == 1
