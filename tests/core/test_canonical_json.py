"""Canonical JSON: one text for one value, and nothing read that JSON should not hold."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_registry.canonical_json import dump, load
from model_registry.errors import InvalidMetadataError, UnsafeModelError

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(text, v, max_size=4), max_leaves=12)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1, 1.0 and True are three values, and -0.0 is not 0.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


@given(values)
@example(-0.0)
@example(1.0)
@example(2**70)
@example("\0\u2028\U0001f600")
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert same(load(dump(value), what="it"), value)


@given(st.dictionaries(text, values, max_size=5), st.randoms())
def test_the_order_of_keys_does_not_count(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert dump(dict(items)) == dump(value)


def test_the_text_is_utf_8_without_spaces_and_with_sorted_keys() -> None:
    assert dump({"b": [1, 1.0, None, True], "a": "é"}) == '{"a":"é","b":[1,1.0,null,true]}'.encode()


def test_the_text_is_the_same_on_every_machine() -> None:
    value = {"z": 1e22, "a": [0.1, 1e-7, -0.0, 123456789012345678901234567890], "é": {"\n": "\x7f"}}
    assert hashlib.sha256(dump(value)).hexdigest() == "6e65e786e2672d559fffde719f72e639684e7d6d3287c8efe46a53a659ab1790"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "\ud800", b"bytes", {1, 2}, object, nested(100_000)])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(InvalidMetadataError, match=r"^not representable as JSON: "):
        dump({"key": value})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"{} {}", "Extra data"),
        (b"\xff\xfe\xfa", "decode"),
        (b'{"a":1,"a":1}', "a key is given twice"),
        (b'[{"a":{"b":1,"b":2}}]', "a key is given twice"),
        (b"[NaN]", "NaN is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b"[1e999]", "1e999 is no JSON number"),
        (b"9" * 5000, "digits"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
    ],
)
def test_what_should_not_be_read_is_refused_with_its_name(data: bytes, problem: str) -> None:
    with pytest.raises(UnsafeModelError, match=r"^the thing is not the JSON it should be: ") as refusal:
        load(data, what="the thing")
    assert problem in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert refusal.value.path == "the thing"
