"""Small models of many architectures come back bit by bit, in a new process, with the class they had."""

from __future__ import annotations

import json

import fingerprint
import hf_zoo
import pytest

from model_registry import ModelRegistry, ModelType


@pytest.fixture(scope="module")
def everything(tmp_path_factory, run_child):
    """(what was registered, what a new process loaded, the entries)."""
    folder = tmp_path_factory.mktemp("zoo")
    registry = ModelRegistry(folder / "models")
    made, entries = {}, {}
    for label in hf_zoo.MODELS:
        model = hf_zoo.make(label)
        made[label] = fingerprint.fingerprint(label, model)
        entries[label] = registry.register_model(label, model)
    loaded = json.loads(run_child("load_all.py", folder, registry.settings.path))
    return made, loaded, entries


def test_there_are_enough() -> None:
    assert len(hf_zoo.MODELS) >= 50


@pytest.mark.parametrize("label", hf_zoo.MODELS)
def test_it_comes_back_bit_by_bit(everything, label) -> None:
    made, loaded, _ = everything
    assert loaded[label]["class"] == made[label]["class"]
    assert loaded[label]["class"].rpartition(".")[2] == hf_zoo.MODELS[label][0]
    assert loaded[label] == made[label]


TYPES = {
    "roberta": ("text-classification", ModelType.CLASSIFICATION),
    "distilbert": ("question-answering", ModelType.LANGUAGE_MODEL),
    "gpt2": ("text-generation", ModelType.LANGUAGE_MODEL),
    "mixtral": ("text-generation", ModelType.LANGUAGE_MODEL),
    "t5": ("text2text-generation", ModelType.LANGUAGE_MODEL),
    "bert": ("feature-extraction", ModelType.LANGUAGE_MODEL),
    "vit": ("image-classification", ModelType.CLASSIFICATION),
    "dinov2": ("image-feature-extraction", ModelType.COMPUTER_VISION),
    "segformer": ("image-segmentation", ModelType.COMPUTER_VISION),
    "vit-mae": ("image-feature-extraction", ModelType.COMPUTER_VISION),
    "wav2vec2": ("automatic-speech-recognition", ModelType.AUDIO),
    "hubert": ("audio-classification", ModelType.CLASSIFICATION),
    "whisper": ("automatic-speech-recognition", ModelType.AUDIO),
    "ast": ("audio-classification", ModelType.CLASSIFICATION),
    "clip": ("zero-shot-image-classification", ModelType.MULTIMODAL),
    "blip": ("image-text-to-text", ModelType.MULTIMODAL),
}


@pytest.mark.parametrize("label", TYPES)
def test_what_it_is_for_is_seen(everything, label) -> None:
    data = everything[2][label].metadata
    assert (data.extra["task"], data.model_type) == TYPES[label]


@pytest.mark.parametrize("label", ["bert", "llama", "t5", "clip"])
def test_what_is_told_is_so(everything, label) -> None:
    data, config = everything[2][label].metadata, hf_zoo.config(label)
    assert data.extra["architecture"] == hf_zoo.MODELS[label][0]
    assert data.extra["transformers_type"] == config.model_type
    assert data.extra["vocabulary_size"] == 128
    if label != "t5":
        assert data.extra["context_length"] == 64
    assert set(data.extra["parameters_by_dtype"]) <= {"float32", "int64"}
