"""Patterns of ``like``."""

from __future__ import annotations

import sqlite3
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry.search.patterns import Pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("mnist", ["mnist", "MNIST"], ["mnist2", "amnist", ""]),
        ("mnist%", ["mnist", "Mnist-2"], ["a mnist"]),
        ("%a%b%", ["ab", "xaxbx", "aab"], ["ba", ""]),
        ("a_c", ["abc", "a\nc", "aäc"], ["ac", "abbc"]),
        ("10\\%", ["10%"], ["100"]),
        ("a\\_b", ["a_b"], ["axb"]),
        ("a\\\\", ["a\\"], ["a", "a\\\\"]),
        ("a\\b", ["ab"], ["a\\b"]),
        ("%ä", ["Ä", "xä"], ["a"]),
        ("ab%ba", ["abba", "abxba"], ["aba"]),
        ("", [""], ["a"]),
        ("%", ["", "a\nb"], []),
        ("a.c[d]", ["a.c[d]"], ["abcd"]),
    ],
)
def test_a_pattern_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    assert all(map(Pattern(pattern).matches, matching))
    assert not any(map(Pattern(pattern).matches, others))


@given(st.text("aB%_\\", max_size=8), st.text("Ab_", max_size=8))
def test_it_is_sqlites_like(pattern: str, text: str) -> None:
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        pattern += "\\"
    (expected,) = sqlite3.connect(":memory:").execute("SELECT ? LIKE ? ESCAPE '\\'", (text, pattern)).fetchone()
    assert Pattern(pattern).matches(text) == bool(expected)


@given(st.text("aB%_\\c", max_size=8), st.text("abc", max_size=8))
def test_what_matches_begins_with_the_prefix(pattern: str, text: str) -> None:
    if Pattern(pattern).matches(text):
        assert text.lower().startswith(Pattern(pattern).prefix.lower())
        assert all(piece.lower() in text.lower() for piece in Pattern(pattern).pieces)


@pytest.mark.parametrize(
    ("pattern", "prefix", "is_prefix"),
    [
        ("ab%", "ab", True),
        ("ab", "ab", False),
        ("a_b%", "a", False),
        ("%", "", True),
        ("a%b", "a", False),
        ("a%%", "a", False),
        ("a\\%%", "a%", True),
        ("_%", "", False),
    ],
)
def test_what_a_pattern_begins_with(pattern: str, prefix: str, is_prefix: bool) -> None:
    assert Pattern(pattern).prefix == prefix
    assert Pattern(pattern).is_prefix == is_prefix


def test_no_pattern_takes_long() -> None:
    started = time.perf_counter()
    assert not Pattern("%a" * 200 + "%b").matches("a" * 10_000)
    assert time.perf_counter() - started < 1
