"""Texts for people: whatever they hold, a terminal only shows them."""

from __future__ import annotations

import unicodedata

import pytest
from command_line import run
from hypothesis import given
from hypothesis import strategies as st

from model_registry import ModelRegistry
from model_registry.cli.text import count_text, inert, plural, pointed, size_text

HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold red]loud[/] :smile: \x9b31m\u202egpj.exe\r\n\x08fake: line"


@given(st.text())
def test_nothing_in_an_inert_text_acts(text: str) -> None:
    shown = inert(text)
    assert {unicodedata.category(c) for c in shown} & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert {c for c in shown if unicodedata.category(c) == "Cf"} <= {"\u200c", "\u200d"}


@given(st.text())
def test_lines_are_kept_where_they_may_be_and_are_as_inert(text: str) -> None:
    assert all(inert(line) == line for line in inert(text, lines=True).split("\n"))


@pytest.mark.parametrize("text", ["digits", "手写数字 分类", "naïve café", "👩\u200d🔬", "a [bold] b", "二\u3000三"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize(
    ("text", "shown"), [("\x1b[31m", "\\x1b[31m"), ("\u202e", "\\u202e"), ("\ud800", "\\ud800"), ("a\tb\nc", "a b c")]
)
def test_what_acts_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert inert(text) == shown


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"),
        (1_234_567, "1.2 MB"), (5 * 10**9, "5.0 GB"), (10**19, "10000.0 PB"),
    ],
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_counts() -> None:
    assert [count_text(None), count_text(0), count_text(1234567)] == ["", "0", "1,234,567"]
    assert [plural(0, "file"), plural(1, "file"), plural(2000, "file")] == ["0 files", "1 file", "2,000 files"]


@pytest.mark.parametrize(
    "words", [["list"], ["list", "--removed"], ["show", "m"], ["show", "m", "--json"], ["list", "--json"], ["-v", "gc"]]
)
def test_hostile_metadata_is_printed_inert(words: list[str]) -> None:
    registry = ModelRegistry("models")
    for name in ("m", "gone"):
        registry.register_model(
            name, b"x", description=HOSTILE, author=HOSTILE, tags=[HOSTILE], performance_metrics={HOSTILE: 1},
            model_type=HOSTILE, extra={HOSTILE: HOSTILE, "layers": {HOSTILE: 3}},
        )  # fmt: skip
    registry.remove_model("gone")
    done = run(*words)
    assert done.code == 0
    for character in "\x1b\x07\x9b\u202e\r\x08":
        assert character not in done.out + done.err
    if words[0] in {"list", "show"} and "--json" not in words:
        assert "[bold red]loud[/] :smile:" in done.out


def test_a_hostile_argument_is_told_inert() -> None:
    ModelRegistry("models")
    done = run("show", "\x1b[2J")
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "\x1b" not in run("\x1b[2J").err
    assert "\x1b" not in run("list", "--\x1b[2J").err


@pytest.mark.parametrize(
    ("text", "column", "shown"),
    [
        ("size >", 7, "  size >\n        ^"),
        ("size > x", 8, "  size > x\n         ^"),
        ("", 1, "  \n  ^"),
        ("a\nbc d\ne", 6, "  bc d\n     ^"),
        ("\x1b[2J x", 6, "  \\x1b[2J x\n          ^"),
        ("模型 x", 4, "  模型 x\n       ^"),
    ],
)
def test_a_caret_stands_under_the_column(text: str, column: int, shown: str) -> None:
    assert pointed(text, column) == shown


def test_of_a_long_line_the_part_around_the_column_is_shown() -> None:
    line, caret = pointed("a" * 5000 + "x" + "b" * 5000, 5001).split("\n")
    assert len(line) < 80
    assert line[caret.index("^")] == "x"
