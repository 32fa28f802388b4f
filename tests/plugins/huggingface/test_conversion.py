"""Models of transformers as ONNX graphs: one or two, sizes free, tokenizer beside, numbers compared."""

from __future__ import annotations

import json

import hf_zoo
import numpy as np
import parts
import pytest
import torch

from model_registry import UnsupportedModelError

pytest.importorskip("model_registry_onnx")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

ONE, TWO = ["model.onnx"], ["decoder_model.onnx", "encoder_model.onnx"]
#: What each becomes, and the sizes that stay free.
GRAPHS = {
    "bert": (ONE, {"batch", "sequence"}),
    "roberta": (ONE, {"batch", "sequence"}),
    "deberta": (ONE, {"batch", "sequence"}),
    "gpt2": (ONE, {"batch", "sequence"}),
    "llama": (ONE, {"batch", "sequence"}),
    "mixtral": (ONE, {"batch", "sequence"}),
    "t5": (TWO, {"batch", "sequence", "target"}),
    "bart": (TWO, {"batch", "sequence", "target"}),
    "whisper": (TWO, {"batch", "target"}),
    "vit": (ONE, {"batch"}),
    "swin": (ONE, {"batch"}),
    "resnet": (ONE, {"batch"}),
    "wav2vec2": (ONE, {"batch", "samples"}),
    "ast": (ONE, {"batch"}),
    "clip": (ONE, {"batch", "sequence"}),
}


@pytest.mark.parametrize("label", GRAPHS)
def test_it_becomes_graphs_that_compute_the_same(registry, label) -> None:
    registry.register_model(label, hf_zoo.make(label))
    made = registry.convert(label, to="onnx", new_name="graph")
    files, free = GRAPHS[label]
    assert [file.path for file in made.files if file.path.endswith(".onnx")] == files
    told = made.metadata.extra["conversion"]["parity"]
    assert told["passed"], told
    assert len(told["runs"]) == 3
    for size in free:
        assert len({run[size] for run in told["runs"]}) == 3, f"{size} was never another"
    assert all(output["max_abs"] < 1e-4 and output["cosine"] > 0.99999 for output in told["outputs"])
    if "logits" in {output["name"] for output in told["outputs"]}:
        assert next(o["argmax"] for o in told["outputs"] if o["name"] == "logits") in (None, 1.0)


def test_it_runs_by_itself_with_its_tokenizer(registry, tmp_path) -> None:
    """At sizes that neither the tracing nor the comparison had."""
    model = hf_zoo.make("bert")
    registry.register_model("bert", model, tokenizer=parts.tokenizer())
    made = registry.convert("bert", to="onnx")
    assert {"tokenizer.json", "config.json", "model.onnx"} <= {file.path for file in made.files}
    session, tokenizer = registry.load_model("bert", made.version)
    ids = [tokenizer.encode(text).ids for text in ["a model that is kept is a model that is kept", "that is a model"]]
    for row in ids:
        given = {"input_ids": np.array([row] * 4), "attention_mask": np.ones((4, len(row)), np.int64)}
        given["token_type_ids"] = np.zeros_like(given["input_ids"])
        found = dict(zip([o.name for o in session.get_outputs()], session.run(None, given), strict=True))
        expected = model(**{name: torch.from_numpy(value) for name, value in given.items()}).last_hidden_state
        np.testing.assert_allclose(found["last_hidden_state"], expected.detach().numpy(), atol=1e-5)


def test_a_pair_runs_by_hand(registry) -> None:
    model = hf_zoo.make("t5")
    registry.register_model("t5", model)
    sessions, _ = registry.load_model("t5", registry.convert("t5", to="onnx").version)
    given = {name: tensor.numpy() for name, tensor in hf_zoo.both_sides().items()}
    (hidden,) = sessions["encoder_model"].run(None, {k: given[k] for k in ("input_ids", "attention_mask")})
    (logits,) = sessions["decoder_model"].run(
        None, {k: given[k] for k in ("decoder_input_ids", "attention_mask")} | {"encoder_hidden_states": hidden}
    )
    np.testing.assert_allclose(logits, model(**hf_zoo.both_sides()).logits.detach().numpy(), atol=1e-4)


def test_a_file_or_a_folder(registry, tmp_path) -> None:
    registry.register_model("bert", hf_zoo.make("bert"), tokenizer=parts.tokenizer())
    registry.export_model("bert", "latest", tmp_path / "bert.onnx")
    assert onnxruntime.InferenceSession(str(tmp_path / "bert.onnx")).get_inputs()[0].name == "input_ids"
    registry.export_model("bert", "latest", tmp_path / "folder", "onnx")
    assert (tmp_path / "folder" / "tokenizer.json").is_file()
    assert registry.register_model("again", tmp_path / "folder").metadata.format == "onnx"
    registry.register_model("t5", hf_zoo.make("t5"))
    with pytest.raises(UnsupportedModelError, match=r"becomes 2 graphs \(encoder_model, decoder_model\) — name"):
        registry.export_model("t5", "latest", tmp_path / "t5.onnx")
    assert not (tmp_path / "t5.onnx").exists()


def test_nothing_of_the_machine_is_in_the_graph(registry, tmp_path) -> None:
    registry.register_model("bert", hf_zoo.make("bert"))
    registry.export_model("bert", "latest", tmp_path / "bert.onnx")
    assert b".py" not in (tmp_path / "bert.onnx").read_bytes()
    assert all(not node.metadata_props for node in onnx.load(tmp_path / "bert.onnx").graph.node)


def test_bfloat16_becomes_float32_and_is_compared_as_bfloat16(registry) -> None:
    registry.register_model("llama", hf_zoo.make("llama").bfloat16())
    made = registry.convert("llama", to="onnx")
    assert set(made.metadata.extra["initializers"]) <= {"float32", "int64", "bool"}
    (output,) = made.metadata.extra["conversion"]["parity"]["outputs"]
    assert output["tolerance"] == 5e-2


def test_what_torch_cannot_trace_is_told(registry) -> None:
    registry.register_model("mamba", hf_zoo.make("mamba"))
    with pytest.raises(UnsupportedModelError, match=r"torch cannot write this model as an ONNX graph: .*static shape"):
        registry.convert("mamba", to="onnx")


def test_a_model_whose_inputs_only_its_own_code_knows(registry, tmp_path) -> None:
    hf_zoo.make("clip").save_pretrained(tmp_path / "clip")
    config = tmp_path / "clip" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "image_token_id": 5}))
    registry.register_model("m", tmp_path / "clip")
    with pytest.raises(UnsupportedModelError, match="nobody knows which inputs a CLIPModel can be given"):
        registry.convert("m", to="onnx")


def test_to_the_runtimes_own_format_in_two_steps(registry) -> None:
    registry.register_model("bert", hf_zoo.make("bert"))
    made = registry.convert("bert", to="ort")
    assert made.metadata.extra["conversion"]["steps"] == "huggingface → onnx → ort"
    assert made.metadata.extra["conversion"]["parity"]["passed"]


def test_another_opset(registry) -> None:
    registry.register_model("bert", hf_zoo.make("bert"))
    assert registry.convert("bert", to="onnx", opset=18).metadata.extra["opsets"]["ai.onnx"] == 18


def test_an_adapter_has_to_be_merged_before(registry) -> None:
    pytest.importorskip("peft")
    registry.register_model("base", hf_zoo.make("llama"))
    registry.register_model("adapter", parts.adapted(), parent="base:1.0.0")
    with pytest.raises(UnsupportedModelError, match=r"an adapter is no model by itself — .* merge_and_unload"):
        registry.convert("adapter", to="onnx")
    merged = registry.load_model("adapter").model.merge_and_unload()
    registry.register_model("merged", merged, parent="adapter:1.0.0")
    assert registry.convert("merged", to="onnx").metadata.extra["conversion"]["parity"]["passed"]
