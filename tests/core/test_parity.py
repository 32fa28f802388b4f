"""Values to run models on, and what counts as agreement."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import UnsupportedModelError
from model_registry.parity import Agreement, cases, narrowed
from model_registry.records import ITEM_BYTES, Array, InputSpec, ParityReport

TEXT = InputSpec("ids", "int64", ("batch", "sequence"), low=3, high=100)
MASK = InputSpec("mask", "int64", ("batch", "sequence"), kind="mask")
IMAGE = InputSpec("pixels", "float32", ("batch", 3, 4, 4))


def numbers(array: Array) -> list[int]:
    return [value for (value,) in struct.iter_unpack("<q", array.data)]


def test_each_run_has_other_sizes_and_shares_them_between_inputs() -> None:
    runs = list(cases([TEXT, MASK, IMAGE]))
    assert [sizes for sizes, _ in runs] == [
        {"batch": 2, "sequence": 5},
        {"batch": 1, "sequence": 13},
        {"batch": 3, "sequence": 8},
    ]
    for sizes, inputs in runs:
        assert inputs["ids"].shape == inputs["mask"].shape == (sizes["batch"], sizes["sequence"])
        assert inputs["pixels"].shape == (sizes["batch"], 3, 4, 4)


def test_two_names_never_have_one_size_in_every_run() -> None:
    specs = [InputSpec("a", "float32", ("batch", "source")), InputSpec("b", "float32", ("batch", "target"))]
    assert all(sizes["source"] != sizes["target"] for sizes, _ in cases(specs))


def test_values_make_sense() -> None:
    for _, inputs in cases([TEXT, MASK]):
        assert all(3 <= number < 100 for number in numbers(inputs["ids"]))
        rows, length = inputs["mask"].shape
        flat = numbers(inputs["mask"])
        for row in range(rows):
            line = flat[row * length : (row + 1) * length]
            assert line == sorted(line, reverse=True), "ones come first"
            assert line[0] == 1
        assert all(flat[:length]), "the first row is whole"


def test_values_are_the_same_every_time() -> None:
    first, again = list(cases([TEXT, IMAGE])), list(cases([TEXT, IMAGE]))
    assert [{n: a.data for n, a in i.items()} for _, i in first] == [
        {n: a.data for n, a in i.items()} for _, i in again
    ]


def test_a_model_of_fixed_sizes_is_run_once() -> None:
    assert len(list(cases([InputSpec("x", "float32", (2, 3))]))) == 1


def test_sizes_that_only_some_values_make_sense_for() -> None:
    spec = InputSpec("sound", "float32", ("batch", "samples"), sizes={"samples": (160, 320)})
    assert [sizes["samples"] for sizes, _ in cases([spec])] == [160, 320, 160]


@given(st.sampled_from(sorted(ITEM_BYTES)), st.lists(st.integers(0, 4), max_size=3))
def test_every_type_and_shape_can_be_made(dtype: str, shape: list[int]) -> None:
    ((_, inputs),) = cases([InputSpec("x", dtype, shape)])
    assert len(inputs["x"].data) == math.prod(shape) * ITEM_BYTES[dtype]


def test_examples_tell_which_numbers_make_sense() -> None:
    example = Array("int32", (3,), struct.pack("<3i", 7, 3, 9))
    assert narrowed(InputSpec("x", "int32", ("batch",)), [None, example]).high == 10
    assert narrowed(TEXT, [Array("int64", (1,), struct.pack("<q", 3))]) == TEXT, "what is known is not narrowed"


def test_arrays_that_are_none() -> None:
    with pytest.raises(ValueError, match="4 bytes are no values of type float32 in the shape \\(2,\\)"):
        Array("float32", (2,), bytes(4))
    with pytest.raises(ValueError, match="values of type 'bfloat16' cannot be kept"):
        Array("bfloat16", (2,), bytes(4))


class TestAgreement:
    """With real arrays, where NumPy is."""

    @pytest.fixture(autouse=True)
    def numpy(self) -> None:
        self.np = pytest.importorskip("numpy")

    def judge(self, one, other, name: str = "y", precision: str = "float32", tolerance: float | None = None):
        agreement = Agreement(precision, tolerance)
        agreement.add({name: self.np.asarray(one)}, {name: self.np.asarray(other)})
        (output,) = agreement.outputs()
        return output

    def floats(self, *values: float):
        return self.np.array(values, self.np.float32)

    def test_equal_is_equal(self) -> None:
        found = self.judge(self.floats(1, -2, 0), self.floats(1, -2, 0))
        assert (found.max_abs, found.max_rel, found.cosine, found.passed) == (0, 0, 1, True)

    def test_the_figures(self) -> None:
        found = self.judge(self.floats(1, 2, 4, 0.001), self.floats(1, 2.5, 3, 0.002))
        assert found.max_abs == 1
        assert found.max_rel == pytest.approx(0.25)
        assert found.allowed == pytest.approx(5e-4)
        dot = 1 + 5 + 12 + 2e-6
        assert found.cosine == pytest.approx(dot / math.sqrt((21 + 1e-6) * (16.25 + 4e-6)))
        assert not found.passed

    @pytest.mark.parametrize(
        ("precision", "difference", "passed"),
        [
            ("float32", 1e-5, True),
            ("float32", 1e-3, False),
            ("float16", 1e-3, True),
            ("float16", 1e-1, False),
            ("bfloat16", 5e-2, True),
        ],
    )
    def test_what_is_allowed_depends_on_the_type(self, precision: str, difference: float, passed: bool) -> None:
        values = self.np.linspace(-1, 1, 50, dtype=self.np.float32)
        assert self.judge(values, values + self.np.float32(difference), precision=precision).passed is passed

    def test_whole_numbers_are_equal_or_not(self) -> None:
        assert self.judge(self.np.array([1, 2]), self.np.array([1, 2])).passed
        assert not self.judge(self.np.array([1, 200_000]), self.np.array([1, 200_001])).passed

    def test_what_is_no_number(self) -> None:
        nan, inf = math.nan, math.inf
        assert self.judge(self.floats(nan, inf, 1), self.floats(nan, inf, 1)).passed
        assert self.judge(self.floats(nan, 1), self.floats(0, 1)).max_abs == inf
        assert not self.judge(self.floats(1, 1), self.floats(nan, 1)).passed
        assert not self.judge(self.floats(inf, 1), self.floats(-inf, 1)).passed

    def test_the_same_greatest_score(self) -> None:
        one = self.np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.50001]], self.np.float32)
        other = self.np.array([[0.1, 0.9], [0.2, 0.8], [0.50001, 0.5]], self.np.float32)
        found = self.judge(one, other, name="logits")
        assert found.argmax == pytest.approx(2 / 3), "the last row is as good as a tie"
        assert self.judge(one, other, name="hidden").argmax is None

    def test_a_tolerance_of_the_callers(self) -> None:
        assert self.judge(self.floats(1), self.floats(2), tolerance=0.5).passed
        assert not self.judge(self.floats(1), self.floats(2), tolerance=0.4).passed

    def test_outputs_by_name_or_by_order(self) -> None:
        agreement = Agreement("float32")
        agreement.add({"a": self.floats(1), "b": self.floats(2)}, {"b": self.floats(2), "a": self.floats(1)})
        agreement.add({"a": self.floats(1), "b": self.floats(2)}, {"x": self.floats(1), "y": self.floats(2)})
        assert all(output.passed for output in agreement.outputs())
        with pytest.raises(UnsupportedModelError, match=r"the source gives 2 outputs \(a, b\), the result 1 \(x\)"):
            agreement.add({"a": self.floats(1), "b": self.floats(2)}, {"x": self.floats(1)})

    def test_another_shape_is_no_agreement(self) -> None:
        found = self.judge(self.floats(1), self.floats(1, 2), tolerance=100.0)
        assert (found.max_abs, found.passed) == (math.inf, False)
        assert str(found) == "y does not agree: its shape is [1] in the source, and [2] in the result"
        assert ParityReport(False, [found]).document()["outputs"][0]["max_abs"] == "inf"

    def test_values_become_arrays_without_copying(self) -> None:
        for dtype in ITEM_BYTES:
            array = self.np.asarray(Array(dtype, (2, 3), bytes(6 * ITEM_BYTES[dtype])))
            assert (array.dtype.name, array.shape) == (dtype, (2, 3))


def test_a_report_as_it_is_kept() -> None:
    assert ParityReport(None, skipped="why").document() == {"checked": False, "reason": "why"}
