"""The methods have one law: what is decoded is what was encoded, to the last bit, whatever the bits mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_registry_compression.lossless import entropy, methods
from model_registry_compression.lossless.numbers import KINDS, Kind, folded, joined, kind_of, parted, unfolded

FLOATS = [kind for kind in KINDS.values() if kind.is_float]
kinds = st.sampled_from(list(KINDS.values()))


def elements(kind: Kind, count: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=count * kind.width, max_size=count * kind.width)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Kind, bytes, bytes]:
    """A piece and its base: any bits at all, or such as training makes."""
    kind = draw(kinds)
    count = draw(st.integers(1, 200))
    base = draw(elements(kind, count))
    if draw(st.booleans()):
        return kind, draw(elements(kind, count)), base
    words = kind.words(base).copy()
    words += np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), words.dtype)
    return kind, words.tobytes(), base


@given(pairs())
def test_split_gives_every_bit_back(given_: tuple[Kind, bytes, bytes]) -> None:
    kind, data, _ = given_
    assert methods.decode(f"split-{kind.name}", memoryview(methods.split(kind, data)), len(data), None) == data


@given(pairs())
def test_delta_gives_every_bit_back(given_: tuple[Kind, bytes, bytes]) -> None:
    kind, data, base = given_
    encoded = methods.delta(kind, data, base)
    assert methods.decode(f"delta-{kind.name}", memoryview(encoded), len(data), memoryview(base)) == data


@given(pairs().filter(lambda pair: pair[0].is_float))
def test_grouped_gives_every_bit_back(given_: tuple[Kind, bytes, bytes]) -> None:
    kind, data, base = given_
    encoded = methods.grouped(kind, data, base)
    assert methods.decode(f"grouped-{kind.name}", memoryview(encoded), len(data), memoryview(base)) == data


@pytest.mark.parametrize("kind", FLOATS, ids=lambda kind: kind.name)
def test_neighbours_differ_by_one(kind: Kind) -> None:
    dtype = np.dtype(f"<f{kind.width}")
    values = np.array([1.0, -1.0, 0.1, 300.0], dtype)
    after = np.nextafter(values, dtype.type(np.inf))
    words = f"<u{kind.width}"
    difference = after.view(words) - values.view(words)
    small = (
        [2, 1, 2, 2] if kind.width == 2 else [int.from_bytes(b"\x80" * kind.width, "big") + d for d in (1, -1, 1, 1)]
    )
    assert folded(difference.copy()).tolist() == small  # a negative one that grows has a smaller word
    assert np.array_equal(unfolded(folded(difference.copy())), difference)


@given(st.integers(1, 300).flatmap(lambda count: elements(KINDS["f2"], count)))
def test_parts_of_floats_are_joined_again(data: bytes) -> None:
    words = KINDS["f2"].words(data)
    rest, high = parted(words)
    assert np.array_equal(high, words >> 7 & 0xFF)
    assert np.array_equal(joined(rest, high), words)


def test_what_does_not_get_smaller_is_kept_as_it_is() -> None:
    data = np.random.default_rng(0).normal(size=10_000).astype(np.float32).tobytes()
    encoded = methods.split(KINDS["f4"], data)
    assert len(encoded) < 0.95 * len(data)
    low_halves = np.frombuffer(data, "<u2")[::2].tobytes()
    assert low_halves in encoded, "the lowest bytes of the mantissas are noise, and lie together"


def test_casts_are_those_of_the_frameworks() -> None:
    torch = pytest.importorskip("torch")
    bits = np.random.default_rng(0).integers(0, 1 << 32, 200_000, dtype=np.uint32)
    base = torch.from_numpy(bits.view(np.float32).copy())
    numbers = ~torch.isnan(base)
    for dtype, cast in ((torch.bfloat16, methods.to_bfloat16), (torch.float16, methods.to_float16)):
        theirs = base.to(dtype).view(torch.uint16).numpy()
        assert np.array_equal(cast(bits.tobytes())[numbers.numpy()], theirs[numbers.numpy()])


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "bool", "uint8", "complex64", "made up"])
def test_other_dtypes_are_bytes(dtype: str) -> None:
    assert kind_of(dtype).name == "i1"


# What somebody changed

METHODS = ["zstd", *(f"{name}-{kind}" for name in ("split", "delta", "grouped") for kind in KINDS)]


@settings(max_examples=300)
@given(st.sampled_from(METHODS), st.binary(max_size=200), st.integers(0, 64))
def test_nonsense_is_an_error_or_has_the_right_size(method: str, data: bytes, size: int) -> None:
    base = memoryview(bytes(size))
    try:
        found = methods.decode(method, memoryview(data), size, base)
    except (ValueError, IndexError, StopIteration):
        return
    assert found is None or memoryview(found).nbytes == size


@given(pairs(), st.data())
def test_a_changed_byte_is_an_error_or_has_the_right_size(
    given_: tuple[Kind, bytes, bytes], draw: st.DataObject
) -> None:
    kind, data, base = given_
    encoded = bytearray(methods.delta(kind, data, base))
    at = draw.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        found = methods.decode(f"delta-{kind.name}", memoryview(encoded), len(data), memoryview(base))
    except (ValueError, IndexError, StopIteration):
        return
    assert found is not None
    assert memoryview(found).nbytes == len(data)


@pytest.mark.parametrize("make", [entropy.huffman, lambda data: entropy.text(data, 19)])
def test_a_bomb_is_not_inflated(make: Callable[[bytes], bytes]) -> None:
    bomb = make(bytes(64 << 20))
    with pytest.raises(ValueError, match="another size"):
        entropy.decompress(memoryview(bomb), 1_000)


def test_an_unknown_method_is_somebody_elses() -> None:
    assert methods.decode("split-f3", memoryview(b""), 0, None) is None
    assert methods.decode("wavelet", memoryview(b""), 0, None) is None
    assert methods.decode("cast-int8-int4", memoryview(b""), 0, memoryview(b"")) is None
