"""Numbers, times and names as people read them."""

from __future__ import annotations

from datetime import timedelta
from unicodedata import east_asian_width

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_registry_server.web.formats import aligned, brief, change, common_decimals, cut, fit, number, said, seconds
from model_registry_server.web.svg import round_values


@given(st.text(max_size=60), st.integers(3, 40))
def test_a_name_is_cut_in_its_middle_until_it_fits(name: str, most: int) -> None:
    made = fit(name, most)
    assert sum(2 if east_asian_width(letter) in "WF" else 1 for letter in made) <= most
    begin, sign, end = made.partition("…") if made != name else (name, "", "")
    assert name.startswith(begin)
    assert name.endswith(end)
    assert sign or made == name


def test_both_ends_of_a_name_stay() -> None:
    assert fit("nlp/sentence-embedding-small", 14) == "nlp/sen…-small"
    assert fit("中文情感分类模型", 9) == "中文…模型"
    assert fit("short", 5) == "short"


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.0342, "34 ms"),
        (0.345, "0.34 s"),
        (9.996, "10 s"),
        (99.4, "99 s"),
        (125, "2:05 min"),
        (timedelta(hours=3, minutes=20), "3:20 h"),
        (-1, "0 ms"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_fits(took: float | timedelta | None, expected: str) -> None:
    assert seconds(took) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "="), (0.0213, "+0.0213"), (-0.5, "−0.5"), (1800.0, "+1,800"), (-2e9, "−2e+09")]
)
def test_a_difference_has_its_sign(value: float, expected: str) -> None:
    assert change(value) == expected


def test_a_difference_of_integers_that_are_larger_than_any_float_is_not_told() -> None:
    assert (change(10**400, 5), change(10**400, 0.5), change(10**400, 10**400)) == ("", "", "=")


def test_what_turns_a_text_or_hides_in_it_is_told_by_its_number() -> None:
    assert (
        cut("a\u202eb\x1b[0m\x00\u2066", 60) == said("a\u202eb\x1b[0m\x00\u2066") == "a\\u202eb\\u001b[0m\\u0000\\u2066"
    )
    assert said("two\nlines,\ta tab, 中文, עברית") == "two\nlines,\ta tab, 中文, עברית"


def test_numbers_of_like_size_stand_in_line() -> None:
    decimals = common_decimals([0.91, 0.8075, 1.0])
    assert [aligned(value, decimals) for value in (0.91, 0.8075, 1.0)] == ["0.9100", "0.8075", "1.0000"]


@pytest.mark.parametrize("values", [[1e-9, 1.0], [1e9, 1.0], [float("nan"), 1.0], [float("inf")]])
def test_numbers_of_other_sizes_are_each_told_by_itself(values: list[float]) -> None:
    assert common_decimals(values) is None
    assert aligned(values[0], None) == number(values[0])


def test_an_input_of_a_model_is_told_in_a_line() -> None:
    assert brief({"name": "x", "dtype": "float32", "shape": ["batch", 64]}) == "x: float32 [batch, 64]"
    assert brief({"other": [1, {"a": None}]}) == '{"other": [1, {"a": null}]}'
    assert len(brief({"name": "n" * 5000, "shape": []})) <= 300


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
@example(2.0**31, 1e-6)  # between which there are not five numbers
def test_the_numbers_of_an_axis_are_few_enclose_the_values_and_are_round(low: float, width: float) -> None:
    high = low + width
    if high <= low:
        return
    marks = round_values(low, high)
    assert 2 <= len(marks) <= 7
    assert marks == sorted(set(marks))
    slack = 1e-6 * (high - low)
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack


def test_an_axis_of_shares_has_tenths() -> None:
    assert round_values(0.61, 0.9285) == [0.6, 0.7, 0.8, 0.9, 1.0]
    assert round_values(0, 100) == [0, 25, 50, 75, 100]
