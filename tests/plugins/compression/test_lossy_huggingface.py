"""Smaller models of transformers: what they cost, and that they come back in a process that knows nothing of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_registry import (
    CompressionType,
    InvalidOptionError,
    ModelRegistry,
    ModelRegistryError,
    PluginLoadError,
    UnsafeModelError,
    UnsupportedModelError,
)

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("model_registry_huggingface")

#: Type, options, the greatest ratio and the least cosine, each for the model below.
WAYS: list[tuple[str, dict[str, Any], float, float]] = [
    (CompressionType.QUANTIZATION_INT8, {}, 0.28, 0.999),
    (CompressionType.QUANTIZATION_INT8, {"weight_only": True}, 0.28, 0.9999),
    (CompressionType.QUANTIZATION_INT4, {}, 0.20, 0.98),
    (CompressionType.QUANTIZATION_FP8, {}, 0.28, 0.998),
    (CompressionType.FP16, {}, 0.51, 0.9999),
    (CompressionType.BF16, {}, 0.51, 0.999),
    (CompressionType.PRUNING_UNSTRUCTURED, {"sparsity": 0.5}, 0.80, 0.80),
    (CompressionType.PRUNING_STRUCTURED, {"sparsity": 0.25}, 0.90, 0.60),
    (CompressionType.LOW_RANK, {"rank": 32}, 0.85, 0.50),
]
LOAD = """
import sys, torch
from model_registry import ModelRegistry
model = ModelRegistry(sys.argv[1]).load_model("m", sys.argv[2]).model
torch.save(model(torch.arange(20).view(2, 10)).last_hidden_state.float(), sys.argv[3])
"""


def make() -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=128, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256
    )
    return transformers.BertModel(config).eval()


@pytest.mark.parametrize(("kind", "options", "ratio", "cosine"), WAYS)
def test_smaller_and_near_and_loaded_by_a_new_process(
    tmp_path: Path, kind: str, options: dict[str, Any], ratio: float, cosine: float
) -> None:
    registry = ModelRegistry(tmp_path / "r")
    source = registry.register_model("m", make(), version="1")
    made = registry.compress_model("m", "1", kind, **options)
    assert made.metadata.compression_ratio == pytest.approx(made.size / source.size)
    assert made.size / source.size <= ratio
    outputs = {out["name"]: out["cosine"] for out in made.metadata.extra["compression"]["parity"]["outputs"]}
    assert outputs.keys() >= {"last_hidden_state"}
    assert min(outputs.values()) >= cosine
    model = registry.load_model("m", made.version).model
    assert type(model) is transformers.BertModel
    assert model.dtype == {CompressionType.FP16: torch.float16, CompressionType.BF16: torch.bfloat16}.get(
        kind, torch.float32
    )
    with torch.no_grad():
        here = model(torch.arange(20).view(2, 10)).last_hidden_state.float()
    command = [sys.executable, "-c", LOAD, tmp_path / "r", made.version, tmp_path / "y.pt"]
    subprocess.run(command, check=True)
    assert torch.equal(torch.load(tmp_path / "y.pt"), here)


def test_whole_numbers_are_kept_and_computed_with(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8)
    model = registry.load_model("m", made.version).model
    layer = model.encoder.layer[0].output.dense
    assert layer.stored.numbers.dtype == torch.int8
    given = torch.randn(3, 256)
    assert not torch.equal(layer(given), torch.nn.functional.linear(given, layer.weight, layer.bias))
    assert torch.allclose(layer(given), torch.nn.functional.linear(given, layer.weight, layer.bias), atol=0.05)


def test_inputs_that_were_seen_say_how_inputs_are_scaled(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    seen = [{"input_ids": torch.randint(0, 300, (4, 12))} for _ in range(4)]
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, calibration=seen, min_cosine=0.99)
    layer = registry.load_model("m", made.version).model.encoder.layer[1].intermediate.dense
    greatest = layer.stored.input_scale * 127
    assert greatest.shape == ()
    assert 1 < greatest < 20
    with pytest.raises(InvalidOptionError, match="the model does not take what calibration gives"):
        registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, calibration=[{"pixels": [1.0]}])
    unknown = [{"input_ids": torch.full((1, 4), 5000)}]
    with pytest.raises(InvalidOptionError, match="the model does not take what calibration gives: IndexError"):
        registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, calibration=unknown)
    with pytest.raises(InvalidOptionError, match="ran nothing through a linear layer"):
        registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, calibration=[])


def test_layers_that_lie_the_other_way_round(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=300, n_embd=128, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=1, n_positions=64
    )
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", transformers.GPT2LMHeadModel(config).eval(), version="1")
    for kind, cosine in ((CompressionType.QUANTIZATION_INT8, 0.999), (CompressionType.QUANTIZATION_INT4, 0.98)):
        made = registry.compress_model("m", "1", kind, min_cosine=cosine)
        assert made.metadata.compression_ratio is not None
        assert made.metadata.compression_ratio < 0.40  # the table that the head shares stays as it is
        model = registry.load_model("m", made.version).model
        assert model.lm_head.weight is model.transformer.wte.weight


def test_another_type_of_floats_and_another_format(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT4)
    model = registry.load_model("m", made.version, dtype="bfloat16").model
    with torch.no_grad():
        assert model(torch.arange(10).view(1, 10)).last_hidden_state.dtype == torch.bfloat16
    whole = registry.convert("m", made.version, to="onnx", new_name="o")
    assert whole.metadata.extra["conversion"]["parity"]["passed"] is True


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_what_cannot_be_made_smaller_is_told(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8)
    with pytest.raises(UnsupportedModelError, match="no weight that quantization_int4 makes smaller"):
        registry.compress_model("m", made.version, CompressionType.QUANTIZATION_INT4)
    adapter = peft.get_peft_model(make(), peft.LoraConfig(r=2, target_modules=["query"]))
    registry.register_model("a", adapter, version="1", parent="m:1")
    with pytest.raises(UnsupportedModelError, match="an adapter is no model by itself"):
        registry.compress_model("a", "1", CompressionType.FP16)


@pytest.mark.parametrize(
    "layers",
    [
        {"encoder.layer.0.output.dense": {"kind": "int4", "block": 0}},
        {"encoder.layer.0.output.dense": {"kind": "low_rank", "rank": 1 << 60}},
        {"encoder.layer.0.output.dense": {"kind": "sparse", "count": -1}},
        {"encoder.layer.0.output.dense": {"kind": "os.system"}},
        {"encoder.layer.0.output.dense": {"kind": "int8", "rows": 7}},
        {"encoder.layer.0.output.dense": {"kind": "low_rank", "rank": 4}},
        {"encoder.layer.0.output.dense": "int8"},
        {"encoder.layer.0.output.dense": {"kind": ["int8"]}},
        {"encoder.layer.0.output": {"kind": "int8"}},
        {"__class__": {"kind": "int8"}},
        {"": {"kind": "int8"}},
        {"encoder.layer.99": {"kind": "int8"}},
        ["encoder"],
        "all",
        None,
    ],
)
def test_configurations_that_lie_are_refused(tmp_path: Path, layers: Any) -> None:
    model = make()
    folder = tmp_path / "m"
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "model_registry", "layers": layers}
    (folder / "config.json").write_text(json.dumps(config))
    registry = ModelRegistry(tmp_path / "r")
    registry.register_model("m", folder, version="1")
    with pytest.raises(UnsafeModelError):
        registry.load_model("m", "1")


@pytest.mark.parametrize("method", ["model_registry", "somebody_elses"])
def test_a_configuration_inside_another_is_seen(tmp_path: Path, method: str) -> None:
    folder = tmp_path / "m"
    make().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] = {"quantization_config": {"quant_method": method, "layers": {}}}
    (folder / "config.json").write_text(json.dumps(config))
    registry = ModelRegistry(tmp_path / "r")
    registry.register_model("m", folder, version="1")
    with pytest.raises((UnsafeModelError, PluginLoadError), match=r"quantization_config|nothing that is installed"):
        registry.load_model("m", "1")


def test_loading_computes_no_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model_registry_compression.weights import Int4Weight

    registry = ModelRegistry(tmp_path)
    registry.register_model("m", make(), version="1")
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT4)
    computed = []
    monkeypatch.setattr(Int4Weight, "forward", computed.append)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = registry.load_model("m", made.version).model
    assert computed == []
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(NotImplementedError, match="resize the embeddings, and compress then"):
        model.resize_token_embeddings(310)


def test_what_lies_beside_the_weights_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    make().save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    for name in ("README.md", "LICENSE", "modules.json", "1_Pooling/config.json"):
        (folder / name).write_text("{}")
    registry = ModelRegistry(tmp_path / "r")
    source = registry.register_model("m", folder, version="1")
    made = registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8)
    assert {file.path for file in made.files} == {file.path for file in source.files}
    kept = {file.path: file.sha256 for file in made.files}
    assert kept["LICENSE"] == {file.path: file.sha256 for file in source.files}["LICENSE"]


def test_a_module_with_layers_of_transformers_is_loaded_by_a_new_process(tmp_path: Path) -> None:
    pytest.importorskip("model_registry_pytorch")
    layer = transformers.pytorch_utils.Conv1D
    registry = ModelRegistry(tmp_path)
    model = torch.nn.Sequential(layer(256, 64), torch.nn.GELU(), layer(64, 256)).eval()
    registry.register_model("m", model, "pytorch", version="1", input_shape=[64])
    registry.compress_model("m", "1", CompressionType.QUANTIZATION_INT8, min_cosine=0.999)
    code = "import sys, model_registry as m; print(type(m.ModelRegistry(sys.argv[1]).load_model('m').model[0]))"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True)
    assert "StoredConv1D" in done.stdout


@pytest.mark.parametrize("kind", [CompressionType.PRUNING_UNSTRUCTURED, CompressionType.QUANTIZATION_INT4])
def test_layers_of_zeros_or_of_one_odd_row_come_back(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=1026, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_labels=1
    )
    model = transformers.BertForSequenceClassification(config).eval()
    model.bert.encoder.layer[0].output.dense.weight.data.zero_()
    registry = ModelRegistry(tmp_path)
    registry.register_model("m", model, version="1")
    made = registry.compress_model("m", "1", kind, **({"block_size": 2000} if "int4" in kind else {}))
    loaded = registry.load_model("m", made.version).model
    assert not loaded.bert.encoder.layer[0].output.dense.weight.any()
    assert loaded.classifier.weight.shape == (1, 1026)


def test_a_way_to_quantize_that_nobody_knows(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    make().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "somebody_elses"}
    (folder / "config.json").write_text(json.dumps(config))
    registry = ModelRegistry(tmp_path / "r")
    registry.register_model("m", folder, version="1")
    with pytest.raises(PluginLoadError, match="quantized by 'somebody_elses', which nothing that is installed knows"):
        registry.load_model("m", "1")
    assert issubclass(PluginLoadError, ModelRegistryError)
