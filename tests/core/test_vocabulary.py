"""Open vocabularies: strings with well-known constants."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from model_registry import CompressionType, ModelFormat, ModelType
from model_registry.vocabulary import OpenVocabulary

VOCABULARIES = (ModelFormat, ModelType, CompressionType)


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_constants_are_their_own_names_in_lower_case(vocabulary: type[OpenVocabulary]) -> None:
    for name in vocabulary.__annotations__:
        constant = getattr(vocabulary, name)
        assert type(constant) is vocabulary
        assert constant == name.lower()


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_the_known_members_are_told_in_order(vocabulary: type[OpenVocabulary]) -> None:
    assert list(vocabulary.known()) == sorted(name.lower() for name in vocabulary.__annotations__)


def test_the_constants_of_the_specification_exist() -> None:
    assert {ModelFormat.PYTORCH, ModelFormat.ONNX, ModelFormat.HUGGINGFACE, ModelFormat.CUSTOM} <= {
        *ModelFormat.known()
    }
    assert {ModelType.CUSTOM, ModelType.LANGUAGE_MODEL, ModelType.CLASSIFICATION} <= {*ModelType.known()}
    assert CompressionType.QUANTIZATION_INT8 in CompressionType.known()


def test_a_member_is_a_plain_string_to_everybody_else() -> None:
    assert ModelFormat.PYTORCH == "pytorch" == str(ModelFormat.PYTORCH) == ModelFormat.PYTORCH.value
    assert hash(ModelFormat.PYTORCH) == hash("pytorch")
    assert {"pytorch": 1}[ModelFormat.PYTORCH] == 1
    assert f"{ModelFormat.PYTORCH}" == "pytorch"
    assert json.dumps([ModelFormat.PYTORCH]) == '["pytorch"]'
    assert type(ModelFormat.PYTORCH.value) is str
    assert repr(ModelFormat.PYTORCH) == "ModelFormat('pytorch')"


def test_any_string_may_be_added() -> None:
    assert ModelFormat("gguf") == "gguf"
    assert "gguf" not in ModelFormat.known()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_member_is_copied_as_itself(copied: object) -> None:
    again = copied(ModelFormat.ONNX)  # type: ignore[operator]
    assert (type(again), again) == (ModelFormat, "onnx")
