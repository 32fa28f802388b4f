"""Metadata: every field of the specification, and anything else of a JSON type, comes back as it was."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_registry import CompressionType, InvalidMetadataError, ModelRegistry, ModelType, UnsafeModelError
from model_registry.operations import metadata
from model_registry.vocabulary import ModelFormat

SAID: dict[str, Any] = {
    "model_type": ModelType.CLASSIFICATION,
    "description": "多行\nd",
    "author": "Ada",
    "license": "MIT",
    "tags": ["production", "optimized"],
    "framework": "f",
    "training_framework": "PyTorch 2.0",
    "training_dataset": "Custom Dataset v2.1",
    "training_epochs": 50,
    "performance_metrics": {"accuracy": 0.987, "inference_time_ms": 15.2, "n": 3},
    "parameters_count": 10**12,
    "model_size_mb": 1.5,
    "input_shape": [None, "batch", 28, 28],
    "output_shape": [10],
    "compression_type": CompressionType.QUANTIZATION_INT8,
    "compression_ratio": 0.25,
    "original_size_mb": 400.0,
    "dependencies": ["torch>=2.0", "torchvision>=0.15"],
    "python_version": "3.9",
    "repository_url": "https://github.com/myorg/mymodel",
    "paper_url": "https://arxiv.org/abs/xxxx.xxxxx",
}
RESERVED = set(metadata._CHECKS) | {"extra", "name", "version", "model", "model_format", "exist_ok",
"weights_only", "self",
                                    "parts", "tokenizer"}  # fmt: skip

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(text, v, max_size=3), max_leaves=8)


def test_every_field_comes_back_as_it_was(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x", **SAID)
    found = ModelRegistry("models").get_model_info("m").metadata  # type: ignore[union-attr]
    assert {name: getattr(found, name) for name in SAID} == SAID
    assert [type(getattr(found, name)) for name in ("model_type", "compression_type", "format")] == [
        ModelType, CompressionType, ModelFormat
    ]  # fmt: skip
    assert set(SAID) == set(metadata._CHECKS)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    extra=st.dictionaries(text.filter(lambda key: key not in RESERVED), values, max_size=4),
    format=st.sampled_from(["bytes", None]),
)
def test_anything_else_comes_back_as_it_was(registry: ModelRegistry, extra: dict[str, Any], format: str | None) -> None:
    entry = registry.register_model("m", b"x", format, **extra)
    found = registry.get_model_info("m", entry.version)
    members = {} if "members" in extra else {"members": ["part-0.bin"]}
    assert repr_of(found.metadata.extra) == repr_of({**members, **extra})  # type: ignore[union-attr]


def repr_of(value: Any) -> Any:
    """Types included: 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {key: repr_of(item) for key, item in value.items()}
    return [repr_of(item) for item in value] if isinstance(value, list) else repr(value)


def test_extra_may_be_given_as_one(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x", extra={"a": 1, "b": None}, c=[1.0])
    assert {**entry.metadata.extra} == {"a": 1, "b": None, "c": [1.0], "members": ["part-0.bin"]}


def test_plugins_fill_what_the_caller_left_open(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"abc")
    assert (entry.metadata.parameters_count, entry.metadata.framework) == (3, "bytes")
    assert (entry.metadata.model_size_mb, entry.metadata.model_type) == (3e-6, "language_model")


@pytest.mark.parametrize("said", ["custom", "mine", ""])
def test_the_caller_wins_over_plugins(registry: ModelRegistry, said: str) -> None:
    assert registry.register_model("m", b"x", framework=said).metadata.framework == said


@pytest.mark.parametrize(
    ("said", "expected"), [(Decimal("0.5"), 0.5), (Fraction(1, 4), 0.25), (True, True), (10**30, 10**30)], ids=str
)
def test_numbers_are_taken_for_what_they_are_worth(registry: ModelRegistry, said: Any, expected: float) -> None:
    assert registry.register_model("m", b"x", performance_metrics={"a": said}).metadata.performance_metrics == {
        "a": expected
    }


class Odd:
    def __repr__(self) -> str:
        return "line\nline" * 100

    def __float__(self) -> float:
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"description": 3}, "description"),
        ({"tags": "one"}, "tags"),
        ({"tags": ["a", 1]}, "tags"),
        ({"tags": {"a": 1}}, "tags"),
        ({"training_epochs": 1.5}, "training_epochs"),
        ({"training_epochs": True}, "training_epochs"),
        ({"parameters_count": -1}, "parameters_count"),
        ({"performance_metrics": [("a", 1)]}, "performance_metrics"),
        ({"performance_metrics": {"a": "high"}}, "performance_metrics['a']"),
        ({"performance_metrics": {"a": math.nan}}, "performance_metrics['a']"),
        ({"performance_metrics": {"a": Odd()}}, "performance_metrics['a']"),
        ({"performance_metrics": {"a": Fraction(10**400)}}, "performance_metrics['a']"),
        ({"performance_metrics": {1: 1}}, "a name in performance_metrics"),
        ({"model_size_mb": "3"}, "model_size_mb"),
        ({"input_shape": 3}, "input_shape"),
        ({"input_shape": [object()]}, "input_shape"),
        ({"model_type": 3}, "model_type"),
        ({"description": Odd()}, "description"),
        ({"x": (1, 2)}, "extra 'x'"),
        ({"x": {1: 2}}, "extra 'x'"),
        ({"x": [b"bytes"]}, "extra 'x'"),
        ({"x": math.inf}, "extra 'x'"),
        ({"x": Odd()}, "extra 'x'"),
        ({"extra": 5}, "extra"),
        ({"extra": "abc"}, "extra"),
        ({"extra": {1: 2}}, "extra"),
        ({"x": "\ud800"}, None),
        ({"description": "\udcff"}, None),
    ],
    ids=lambda value: re.sub("0x[0-9a-f]+", "…", str(value))[:40] if isinstance(value, dict) else "",
)
def test_what_would_not_come_back_is_refused_with_its_field(
    registry: ModelRegistry, said: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidMetadataError) as refusal:
        registry.register_model("m", b"x", **said)
    assert refusal.value.field == field
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 400
    assert (registry.list_models(), list(Path("models").glob("staging/*"))) == ([], [])


def test_metadata_may_nest_but_not_without_end(registry: ModelRegistry) -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]
    assert registry.register_model("m", b"x", deep=value).metadata.extra["deep"] == value
    for _ in range(2):
        value = [value]
    with pytest.raises(InvalidMetadataError, match=r"^extra 'deep' is nested more than 64 deep — make it flatter$"):
        registry.register_model("m", b"x", deep=value)


GOOD = '{"name":"m","version":"1","format":"bytes"%s}'


@pytest.mark.parametrize(
    "document",
    [
        "", "[]", "3", "null", "{}", '{"schemaVersion":1}', '{"schemaVersion":2,"metadata":%s}' % (GOOD % ""),
        '{"schemaVersion":1,"metadata":[]}', '{"schemaVersion":1,"metadata":"x"}', '{"schemaVersion":1,"metadata":{}}',
        *['{"schemaVersion":1,"metadata":%s}' % (GOOD % more) for more in (
            ',"unknown":1', ',"tags":3', ',"tags":"abc"', ',"description":{}', ',"performance_metrics":[]',
            ',"performance_metrics":{"a":1e999}', ',"extra":[]', ',"extra":3', ',"parameters_count":"many"',
            ',"model_type":[]', ',"extra":{"a":' + "[" * 200 + "]" * 200 + "}",
            ',"extra":{"a":' + "[" * 99999 + "]" * 99999 + "}", ',"name":"n"',
        )],
        '{"schemaVersion":1,"metadata":{"name":3,"version":"1","format":"bytes"}}',
        '{"schemaVersion":1,"metadata":{"name":"../x","version":"1","format":"bytes"}}',
        '{"schemaVersion":1,"metadata":{"name":"m","version":"1/..","format":"bytes"}}',
        '{"schemaVersion":1,"metadata":{"name":"m","version":"1","format":{}}}',
    ],
    ids=lambda document: document[:60],
)  # fmt: skip
def test_a_document_that_is_none_is_refused_in_one_line(document: str) -> None:
    with pytest.raises(UnsafeModelError, match=r"^metadata of m:1 ") as refusal:
        metadata.read(document, what="m:1")
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 400


def test_a_document_of_a_newer_schema_says_to_upgrade() -> None:
    with pytest.raises(UnsafeModelError, match="schema version 2; upgrade model-registry-core"):
        metadata.read('{"schemaVersion":2,"metadata":{}}', what="m:1")
