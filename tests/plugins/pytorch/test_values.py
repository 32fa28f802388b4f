"""Values come back as they were: the laws of encoding and decoding."""

from __future__ import annotations

import collections
import contextlib
import json
import math

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from model_registry import ClassNotFoundError, UnsafeModelError
from model_registry_pytorch import PyTorchOptions, functions
from model_registry_pytorch.classes import ClassResolver
from model_registry_pytorch.decode import ValueDecoder
from model_registry_pytorch.encode import ValueEncoder


def encode(value):
    def none_expected(*_):
        raise AssertionError

    return ValueEncoder(PyTorchOptions(), none_expected, none_expected).encode(value, "value")


def decode(text):
    return ValueDecoder(ClassResolver(PyTorchOptions()), {}, ()).decode(json.loads(text))


def there_and_back(value):
    return decode(json.dumps(encode(value), allow_nan=False))


floats = st.floats(allow_nan=False)
complexes = st.complex_numbers(allow_nan=False)
keys = st.none() | st.booleans() | st.integers() | floats | st.text() | st.binary() | complexes
atoms = keys | st.slices(9) | st.sampled_from([torch.float16, torch.Size([2]), torch.device("cpu"), range(3), int])
keys |= st.tuples(keys, keys) | st.frozensets(keys, max_size=3)
values = st.recursive(
    atoms | st.sets(keys, max_size=3) | keys,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict)
    ),
    max_leaves=12,
)


def shape(value):
    """A value with its types, to tell True from 1, and the order of dictionaries."""
    if isinstance(value, dict):
        return type(value), [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return type(value), [shape(item) for item in value]
    if isinstance(value, float):
        return float, value.hex()
    return type(value), value


@settings(max_examples=150, deadline=None)
@given(values)
def test_every_value_comes_back_with_its_type_and_order(value):
    assert shape(there_and_back(value)) == shape(value)


@settings(max_examples=50, deadline=None)
@given(st.sets(keys, max_size=6))
def test_equal_sets_encode_equally_in_whatever_order(value):
    backwards = set()
    for item in reversed(list(value)):
        backwards.add(item)
    assert encode(value) == encode(backwards)


def test_nan_comes_back():
    assert math.isnan(there_and_back(math.nan))


@pytest.mark.parametrize("function", [functional.relu, torch.relu, torch.einsum, torch.nn.init.zeros_, math.sqrt, len])
def test_functions_come_back_as_themselves(function):
    assert there_and_back(function) is function


def test_every_function_of_the_table_comes_back_as_itself():
    for function in functions.by_name().values():
        assert there_and_back(function) is function


@pytest.mark.parametrize("name", ["load", "save", "compile", "from_file", "import_ir_module", "set_num_threads"])
def test_functions_of_torch_that_do_more_than_compute_are_not_in_the_table(name):
    assert f"torch.{name}" not in functions.by_name()
    assert not any(known.endswith((".eval", ".exec", ".open", "__import__")) for known in functions.by_name())


def test_numbers_of_numpy_come_back():
    for number in (numpy.float64(0.1), numpy.int8(-3), numpy.bool_(True), numpy.float32("inf")):
        back = there_and_back(number)
        assert type(back) is type(number)
        assert back == number


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["dict", "tuple", "set", "slice", "int", "enum", "partial", "x"]), inner)
            | st.dictionaries(
                st.sampled_from(["tensor", "module", "dataclass", "size", "dtype", "numpy", "bytes"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_whatever_a_record_holds_is_a_value_or_refused(encoded):
    with contextlib.suppress(UnsafeModelError, ClassNotFoundError):  # and nothing else
        decode(json.dumps(encoded))
