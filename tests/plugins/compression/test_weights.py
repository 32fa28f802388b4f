"""The laws of stored weights: what they give back, for any matrix."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from model_registry_compression.weights import KINDS, store  # noqa: E402

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@st.composite
def matrices(draw: st.DrawFn) -> torch.Tensor:
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 70))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    matrix = torch.randn(rows, columns, generator=generator) * draw(st.sampled_from([0.0, 1e-3, 1.0, 100.0]))
    return matrix.to(draw(st.sampled_from(DTYPES)))


def wide(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.double()


def rounding(matrix: torch.Tensor) -> torch.Tensor:
    """What a type of the matrix may lose beside that, of numbers as large as its greatest."""
    return wide(matrix.abs().amax()) * torch.finfo(matrix.dtype).eps * 4 + 1e-30


@settings(deadline=None, max_examples=60)
@given(matrices())
def test_whole_numbers_of_eight_bits_lose_half_a_step(matrix: torch.Tensor) -> None:
    stored = store("int8", matrix)
    step = wide(matrix.abs().amax(1, keepdim=True)) / 127
    assert torch.all((wide(stored()) - wide(matrix)).abs() <= step / 2 + 127 * rounding(matrix))
    assert stored.numbers.abs().max() <= 127


@settings(deadline=None, max_examples=60)
@given(matrices(), st.sampled_from([2, 16, 32]))
def test_whole_numbers_of_four_bits_lose_half_a_step(matrix: torch.Tensor, block: int) -> None:
    stored = store("int4", matrix, block=block)
    assert stored().shape == matrix.shape
    step = wide(matrix.amax() - matrix.amin()) / 15
    short = wide(matrix.abs().amax()) * 2 * torch.finfo(torch.bfloat16).eps
    assert torch.all((wide(stored()) - wide(matrix)).abs() <= step / 2 + short + 16 * rounding(matrix))


@settings(deadline=None, max_examples=60)
@given(matrices())
def test_floats_of_eight_bits_lose_a_sixteenth_of_each(matrix: torch.Tensor) -> None:
    least = wide(matrix.abs().amax(1, keepdim=True)) / 448 * 2**-9  # below which they lie evenly
    lost = (wide(store("float8", matrix)()) - wide(matrix)).abs()
    assert torch.all(lost <= wide(matrix.abs()) / 15 + least + rounding(matrix))


@settings(deadline=None, max_examples=60)
@given(matrices(), st.floats(0, 1))
def test_zeros_cost_nothing_and_the_rest_is_exact(matrix: torch.Tensor, share: float) -> None:
    pruned = matrix.clone()
    pruned[torch.rand(matrix.shape, generator=torch.Generator().manual_seed(0)) < share] = 0
    stored = store("sparse", pruned, count=0)
    assert torch.equal(stored(), pruned)
    assert stored.values.numel() == int((pruned != 0).sum())
    rows = matrix.clone()
    rows[:: max(1, int(share * 5))] = 0
    left = store("channels", rows, count=0)
    assert torch.equal(left(), rows)
    inputs = torch.ones(2, 3, matrix.shape[1], dtype=matrix.dtype)
    assert torch.allclose(left.linear(inputs, None), torch.nn.functional.linear(inputs, rows), rtol=0.02, atol=0.05)


@settings(deadline=None, max_examples=30)
@given(matrices())
def test_all_of_the_rank_loses_nothing(matrix: torch.Tensor) -> None:
    matrix = matrix.float()
    stored = store("low_rank", matrix, rank=min(matrix.shape))
    assert torch.allclose(stored(), matrix, atol=float(matrix.abs().max()) * 1e-4 + 1e-12)


@settings(deadline=None, max_examples=60)
@given(matrices(), st.sampled_from(["int8", "int4", "float8"]), st.data())
def test_some_rows_are_those_of_all(matrix: torch.Tensor, kind: str, data: st.DataObject) -> None:
    index = torch.tensor(data.draw(st.lists(st.integers(0, matrix.shape[0] - 1), min_size=1, max_size=6)))
    stored = store(kind, matrix)
    assert torch.equal(stored.rows(index), stored()[index])


@settings(deadline=None, max_examples=60)
@given(matrices(), st.sampled_from(sorted(KINDS)))
def test_facts_say_how_large_the_tensors_are(matrix: torch.Tensor, kind: str) -> None:
    needed = {"sparse": {"count": 0}, "channels": {"count": 0}, "low_rank": {"rank": 1}}.get(kind, {})
    stored = store(kind, matrix, **needed)
    with torch.device("meta"):
        empty = KINDS[kind](*matrix.shape, matrix.dtype, **stored.facts())
    shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in stored.state_dict().items()}
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in empty.state_dict().items()} == shapes
