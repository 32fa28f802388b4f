"""Smaller modules of PyTorch: what they cost, and that they come back in a process that knows nothing of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_registry import (
    CompressionType,
    InvalidOptionError,
    ModelRegistry,
    ParityError,
    UnsupportedFormatError,
    UnsupportedModelError,
)

torch = pytest.importorskip("torch")
pytest.importorskip("model_registry_pytorch")
nn = torch.nn

#: Type, options, the greatest ratio and the least cosine, each for the model below.
WAYS = [
    (CompressionType.QUANTIZATION_INT8, {}, 0.30, 0.999),
    (CompressionType.QUANTIZATION_INT4, {}, 0.22, 0.98),
    (CompressionType.QUANTIZATION_FP8, {}, 0.30, 0.995),
    (CompressionType.FP16, {}, 0.54, 0.9999),
    (CompressionType.BF16, {}, 0.54, 0.999),
    (CompressionType.PRUNING_UNSTRUCTURED, {"sparsity": 0.5}, 0.57, 0.80),
    (CompressionType.PRUNING_STRUCTURED, {"sparsity": 0.25}, 0.80, 0.70),
    (CompressionType.LOW_RANK, {"rank": 48}, 0.60, 0.50),
]
LOAD = """
import sys, torch
from model_registry import ModelRegistry
model = ModelRegistry(sys.argv[1]).load_model("m", sys.argv[2]).model
torch.save(model(torch.load(sys.argv[3])), sys.argv[4])
"""


def make() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 32, 5), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(512, 256), nn.LayerNorm(256), nn.ReLU(), nn.Linear(256, 10)).eval()


def register(path: Path) -> ModelRegistry:
    registry = ModelRegistry(path)
    registry.register_model("m", make(), version="1.0.0", input_shape=[3, 8, 8], description="a small one")
    return registry


@pytest.mark.parametrize(("kind", "options", "ratio", "cosine"), WAYS)
def test_smaller_and_near_and_loaded_by_a_new_process(
    tmp_path: Path, kind: str, options: dict[str, float], ratio: float, cosine: float
) -> None:
    registry = register(tmp_path / "r")
    source = registry.resolve("m", "1.0.0")
    made = registry.compress_model("m", "1.0.0", kind, **options)

    assert made.metadata.compression_type == kind
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio == pytest.approx(made.size / source.size)
    assert made.metadata.compression_ratio <= ratio
    assert made.metadata.original_size_mb == pytest.approx(source.size / 1e6)
    assert made.metadata.description == "a small one"
    [parent] = made.metadata.parents
    assert (parent.relation, parent.version, parent.digest) == ("compressed", "1.0.0", source.digest)
    told = made.metadata.extra["compression"]
    assert told["from"] == "m:1.0.0"
    [output] = told["parity"]["outputs"]
    assert cosine <= output["cosine"] <= 1 + 1e-9
    assert output["max_abs"] > 0
    assert "passed" not in output
    if str(kind).startswith("quantization"):
        assert made.metadata.parameters_count == source.metadata.parameters_count
    assert told["latency_ms"]["before"] > 0
    assert told["latency_ms"]["after"] > 0

    dtype = {CompressionType.FP16: torch.float16, CompressionType.BF16: torch.bfloat16}.get(kind, torch.float32)
    torch.save(torch.randn(4, 3, 8, 8).to(dtype), tmp_path / "x.pt")
    arguments = [str(tmp_path / "r"), made.version, str(tmp_path / "x.pt"), str(tmp_path / "y.pt")]
    subprocess.run([sys.executable, "-c", LOAD, *arguments], check=True)
    here = registry.load_model("m", made.version).model(torch.load(tmp_path / "x.pt"))
    assert torch.allclose(torch.load(tmp_path / "y.pt"), here, atol=1e-2 if dtype != torch.float32 else 1e-5)


def scaled(factor: float) -> torch.nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64)).eval()
    model[0].weight.data *= factor
    model[0].bias.data *= factor
    return model


@pytest.mark.parametrize(
    ("factor", "problem"), [(1e8, "elements that are no finite numbers"), (1e-9, r"cosine 0\.000000, less than")]
)
def test_numbers_that_a_short_type_cannot_hold_are_seen(tmp_path: Path, factor: float, problem: str) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", scaled(factor), version="1", input_shape=[64])
    with pytest.raises(ParityError, match=problem):
        registry.compress_model("m", "1", CompressionType.FP16, min_cosine=0.9)
    assert registry.compress_model("m", "1", CompressionType.BF16, min_cosine=0.999)


class Masked(nn.Module):
    """Computes with a matrix of its own, which stays float32."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) @ torch.eye(64)


def test_a_result_that_does_not_run_is_told(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", Masked().eval(), version="1", input_shape=[64])
    with pytest.raises(UnsupportedModelError, match="the result does not run on batch 2: RuntimeError: expected m1"):
        registry.compress_model("m", "1", CompressionType.FP16)
    report = registry.recommend_compression("m")
    assert report.recommended is not None
    [half] = [trial for trial in report.trials if trial.type == CompressionType.FP16]
    assert half.problem.startswith("the result does not run")


def test_a_source_that_does_not_run_is_told_first(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1", input_shape=[5, 7])
    with pytest.raises(UnsupportedModelError, match="the model does not run on batch 2: RuntimeError"):
        registry.recommend_compression("m")
    registry.register_model("n", make(), version="1")
    with pytest.raises(UnsupportedModelError, match="nobody knows what the model takes"):
        registry.recommend_compression("n")
    made = registry.compress_model(
        "n",
        "1",
        CompressionType.QUANTIZATION_INT8,
        evaluate=lambda model: float(model(torch.ones(1, 3, 8, 8)).detach().sum()),
    )
    told = made.metadata.extra["compression"]
    assert told["parity"] == {"checked": False, "reason": "nobody knows what the model takes"}
    assert told["metric"].keys() == {"before", "after"}


def test_norms_have_a_type_that_fits_their_inputs(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.LayerNorm(64), nn.Linear(64, 64)).double().eval()
    registry.register_model("m", model, version="1", input_shape=[64])
    for kind, dtype in ((CompressionType.FP16, torch.float16), (CompressionType.BF16, torch.bfloat16)):
        made = registry.compress_model("m", "1", kind, inputs={"input": torch.randn(4, 64)}, min_cosine=0.999)
        loaded = registry.load_model("m", made.version).model
        assert [loaded[i].weight.dtype for i in range(4)] == [dtype, torch.float32, dtype, dtype]


@pytest.mark.parametrize("first", [CompressionType.QUANTIZATION_INT4, CompressionType.QUANTIZATION_FP8])
def test_what_is_smaller_already_can_be_cast(tmp_path: Path, first: str) -> None:
    registry = register(tmp_path)
    made = registry.compress_model("m", "1.0.0", first)
    model = registry.load_model("m", made.version).model
    kept = model[4].stored.numbers.dtype
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        model.to(dtype)
        assert model(torch.ones(2, 3, 8, 8, dtype=dtype)).dtype == dtype
        assert model[4].stored.numbers.dtype == kept
    from model_registry_compression.lossy.torch_modules import cast

    half = cast(registry.load_model("m", made.version).model, torch.float16)
    assert half(torch.ones(2, 3, 8, 8, dtype=torch.float16)).dtype == half[4].weight.dtype == torch.float16
    assert half[4].stored.numbers.dtype == kept


def test_gradients_are_those_of_the_weights(tmp_path: Path) -> None:
    registry = register(tmp_path)
    made = registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8)
    layer = registry.load_model("m", made.version).model[4]
    given = torch.randn(3, 512, requires_grad=True)
    layer(given).sum().backward()
    expected = torch.randn(3, 512, requires_grad=True)
    expected.data.copy_(given.data)
    nn.functional.linear(expected, layer.weight, layer.bias).sum().backward()
    assert torch.allclose(given.grad, expected.grad, rtol=1e-4)


@pytest.mark.parametrize("columns", [1, 2, 140_000])
def test_products_of_whole_numbers_are_right_for_any_size(columns: int) -> None:
    from model_registry_compression.weights import store

    matrix = torch.ones(16, columns)
    found = store("int8", matrix).linear(torch.ones(2, columns), None)
    assert torch.allclose(found, torch.full((2, 16), float(columns)), rtol=1e-4)


def test_what_is_no_number_stays_none(tmp_path: Path) -> None:
    registry = register(tmp_path)
    seen = [torch.randn(8, 3, 8, 8)]
    for options in ({}, {"calibration": seen}):
        made = registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8, **options)
        layer = registry.load_model("m", made.version).model[4]
        for bad in (float("nan"), float("inf")):
            given = torch.ones(2, 512)
            given[0, 7] = bad
            assert not layer(given)[0].isfinite().any()
            assert layer(given)[1].isfinite().all()


@pytest.mark.parametrize(
    ("limit", "value"),
    [("max_drop", "0.1"), ("min_cosine", float("nan")), ("max_drop", [1]), ("max_drop", -1), ("min_cosine", 2)],
)
def test_limits_are_numbers(tmp_path: Path, limit: str, value: object) -> None:
    registry = register(tmp_path)
    with pytest.raises(InvalidOptionError, match=f"{limit} is "):
        registry.compress_model("m", "1.0.0", CompressionType.FP16, **{limit: value})
    with pytest.raises(InvalidOptionError, match="evaluate is a float"):
        registry.compress_model("m", "1.0.0", CompressionType.FP16, evaluate=0.9)
    for odd in (None, {"a": 1}, torch.ones(3), "good"):
        with pytest.raises(InvalidOptionError, match="evaluate gave a "):
            registry.compress_model("m", "1.0.0", CompressionType.FP16, evaluate=lambda model, odd=odd: odd)
    with pytest.raises(InvalidOptionError, match="evaluate gave nan"):
        registry.compress_model("m", "1.0.0", CompressionType.FP16, evaluate=lambda model: float("nan"))


def test_what_is_too_bad_is_refused_and_nothing_is_registered(tmp_path: Path) -> None:
    registry = register(tmp_path)
    with pytest.raises(ParityError, match=r"less than min_cosine=0\.99999") as caught:
        registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT4, min_cosine=0.99999)
    assert caught.value.report.outputs
    qualities = iter([1.0, 0.0, 1.0, float("nan")])
    limits: dict[str, Any] = {"evaluate": lambda model: next(qualities), "max_drop": 0.5}
    with pytest.raises(ParityError, match=r"evaluate gave 1 before and 0 after, a drop of more than 0\.5"):
        registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8, **limits)
    with pytest.raises(UnsupportedModelError, match="with the smaller model: InvalidOptionError: evaluate gave nan"):
        registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8, **limits)
    assert [entry.version for entry in registry.list_models()] == ["1.0.0"]


def test_the_metric_before_and_after_is_kept(tmp_path: Path) -> None:
    registry = register(tmp_path)

    def evaluate(model: torch.nn.Module) -> float:
        return float(model(torch.ones(2, 3, 8, 8)).detach().abs().sum())

    made = registry.compress_model(
        "m", "1.0.0", CompressionType.QUANTIZATION_INT8, evaluate=evaluate, max_drop=1.0, new_version="1.0.0+int8"
    )
    assert made.version == "1.0.0+int8"
    told = made.metadata.extra["compression"]["metric"]
    assert told["before"] == pytest.approx(evaluate(make()))
    assert told["after"] == pytest.approx(evaluate(registry.load_model("m", made.version).model))
    assert told["before"] != told["after"]


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    registry = register(tmp_path)
    with pytest.raises(UnsupportedFormatError, match="no installed plugin makes pytorch smaller by 'distilled'"):
        registry.compress_model("m", "1.0.0", CompressionType.DISTILLED)
    with pytest.raises(InvalidOptionError, match="knows no option 'block'"):
        registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT4, block=3)
    with pytest.raises(InvalidOptionError, match="block_size is 3"):
        registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT4, block_size=3)
    with pytest.raises(InvalidOptionError, match="sparsity is 1"):
        registry.compress_model("m", "1.0.0", CompressionType.PRUNING_UNSTRUCTURED, sparsity=1)
    with pytest.raises(ParityError, match=r"output has cosine 0\.9\d+, less than max_drop=1e-07 allows"):
        registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8, max_drop=1e-7)
    for lossless in (CompressionType.ZSTD, CompressionType.DELTA):
        with pytest.raises(UnsupportedFormatError, match=r"archive\(\) keeps older versions smaller"):
            registry.compress_model("m", "1.0.0", lossless)
    for calibration, problem in ((3, "is a int"), ("text", "is a str"), ([torch.ones(1, 2)], "does not take")):
        with pytest.raises(InvalidOptionError, match=problem):
            registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8, calibration=calibration)
    registry.register_model("small", nn.Linear(2, 2), version="1", input_shape=[2])
    with pytest.raises(UnsupportedModelError, match="has no weight that quantization_int8 makes smaller"):
        registry.compress_model("small", "1", CompressionType.QUANTIZATION_INT8)
    registry.register_model("weights", {"w": torch.ones(4)}, "pytorch", version="1")
    with pytest.raises(UnsupportedModelError, match="holds tensors, and no module"):
        registry.compress_model("weights", "1", CompressionType.QUANTIZATION_INT8)


@pytest.mark.parametrize("kind", [CompressionType.QUANTIZATION_INT8, CompressionType.QUANTIZATION_INT4])
def test_attention_survives(tmp_path: Path, kind: str) -> None:
    registry = ModelRegistry(tmp_path)
    torch.manual_seed(1)
    model = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True).eval()
    registry.register_model("m", model, version="1", input_shape=["length", 64])
    made = registry.compress_model("m", "1", kind, min_cosine=0.95)
    assert made.metadata.compression_ratio is not None
    assert made.metadata.compression_ratio < 0.4
    assert registry.load_model("m", made.version).model.self_attn.stored.numbers.dtype in (torch.int8, torch.uint8)


def test_a_weight_of_several_layers_stays_as_it_is(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Embedding(300, 32), nn.Linear(32, 64), nn.Linear(64, 32), nn.Linear(32, 300)).eval()
    model[3].weight = model[0].weight
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", model, version="1", example_inputs=(torch.arange(10),))
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, min_cosine=0.99)
    loaded = registry.load_model("m", made.version).model
    assert loaded[3].weight is loaded[0].weight
    assert loaded[1].stored.numbers.dtype == torch.int8


def test_whole_numbers_are_multiplied_and_nothing_else(tmp_path: Path) -> None:
    registry = register(tmp_path)
    dynamic = registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8)
    exact = registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8, weight_only=True)
    layer = registry.load_model("m", dynamic.version).model[4]
    given = torch.randn(6, 512)
    scale = given.abs().amax(1, keepdim=True) / 127
    numbers = torch.round(given / scale)
    expected = (numbers.double() @ layer.stored.numbers.double().t()) * scale * layer.stored.scale.t() + layer.bias
    assert torch.allclose(layer(given).double(), expected, atol=1e-5)
    layer = registry.load_model("m", exact.version).model[4]
    assert torch.equal(layer(given), nn.functional.linear(given, layer.weight, layer.bias))


def test_inputs_that_were_seen_say_how_inputs_are_scaled(tmp_path: Path) -> None:
    registry = register(tmp_path)
    seen = [torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(i)) for i in range(4)]
    made = registry.compress_model("m", "1.0.0", CompressionType.QUANTIZATION_INT8, calibration=seen, min_cosine=0.99)
    model = make()
    greatest = max(float(model[:4](batch).detach().abs().max()) for batch in seen)
    layer = registry.load_model("m", made.version).model[4]
    assert float(layer.stored.input_scale) * 127 == pytest.approx(greatest)


@pytest.mark.parametrize(
    ("kind", "options"), [(CompressionType.LOW_RANK, {"rank": 48}), (CompressionType.PRUNING_STRUCTURED, {})]
)
def test_what_is_left_can_be_trained_further(tmp_path: Path, kind: str, options: dict[str, int]) -> None:
    registry = register(tmp_path)
    made = registry.compress_model("m", "1.0.0", kind, **options)
    model = registry.load_model("m", made.version).model
    model.requires_grad_(True)
    before = model[4].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.randn(4, 3, 8, 8)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(model[4].weight, before)


def test_it_is_converted_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    registry = register(tmp_path)
    for kind in (CompressionType.QUANTIZATION_INT8, CompressionType.QUANTIZATION_INT4):
        made = registry.compress_model("m", "1.0.0", kind)
        plain = registry.convert("m", made.version, to="onnx", new_name=f"o-{kind}", tolerance=0.05)
        assert plain.metadata.extra["conversion"]["parity"]["passed"] is True


def lying(model: torch.nn.Module, attribute: str, value: object) -> torch.nn.Module:
    setattr(model[4].stored, attribute, value)
    return model


@pytest.mark.parametrize(
    ("kind", "attribute", "value"),
    [
        (CompressionType.QUANTIZATION_INT4, "columns", -5),
        (CompressionType.QUANTIZATION_INT8, "scale", torch.ones(3, 7)),
        (CompressionType.QUANTIZATION_INT8, "numbers", torch.ones(2, 2)),
        (CompressionType.QUANTIZATION_INT8, "numbers", torch.ones(256, 9, dtype=torch.int8)),
        (CompressionType.PRUNING_UNSTRUCTURED, "shape", (1 << 40, 1 << 20)),
        (CompressionType.PRUNING_UNSTRUCTURED, "mask", torch.full((16384,), 255, dtype=torch.uint8)),
        (CompressionType.PRUNING_STRUCTURED, "channels", torch.full((192,), 1 << 20, dtype=torch.int32)),
        (CompressionType.PRUNING_STRUCTURED, "channels", torch.full((192,), -1, dtype=torch.int32)),
        (CompressionType.PRUNING_STRUCTURED, "height", 1 << 60),
        (CompressionType.LOW_RANK, "left", nn.Parameter(torch.ones(3, 3))),
    ],
)
def test_stored_weights_that_lie_are_errors_when_they_are_used(
    tmp_path: Path, kind: str, attribute: str, value: object
) -> None:
    registry = register(tmp_path)
    options = {"rank": 48} if kind == CompressionType.LOW_RANK else {}
    made = registry.compress_model("m", "1.0.0", kind, **options)
    model = registry.load_model("m", made.version).model
    entry = registry.register_model("lie", lying(model, attribute, value), "pytorch", input_shape=[3, 8, 8])
    loaded = registry.load_model("lie", entry.version).model
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        loaded(torch.ones(1, 3, 8, 8))
