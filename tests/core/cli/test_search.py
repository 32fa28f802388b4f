"""``search``: what is found, page by page, and where a mistake is."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import ModelRegistry


@pytest.fixture
def zoo(weights: Path) -> None:
    registry = ModelRegistry("models")
    for number, name in enumerate(("mnist", "cifar", "bert")):
        registry.register_model(
            name, weights, "bytes", performance_metrics={"accuracy": 0.9 + number / 100}, tags=["seen", name]
        )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["bert", "cifar", "mnist"]),
        ("metrics.accuracy > 0.905 order by metrics.accuracy desc", ["bert", "cifar"]),
        ("tags = 'seen' and not (tags = 'bert') order by name desc", ["mnist", "cifar"]),
        ("size < 1", []),
    ],
)
def test_what_a_query_finds(zoo: None, query: str, names: list[str]) -> None:
    document = run("search", query, "--json").document
    assert [version["name"] for version in document["versions"]] == names
    assert document["cursor"] is None


def test_page_by_page(zoo: None) -> None:
    found, after = [], []
    for _ in range(3):
        document = run("search", "order by metrics.accuracy", "--limit", "1", "--json", *after).document
        found += [version["name"] for version in document["versions"]]
        after = ["--after", document["cursor"]]
    assert found == ["mnist", "cifar", "bert"]
    assert document["cursor"] is None


def test_a_table_for_people_shows_what_was_asked_for(zoo: None) -> None:
    assert run("search", "metrics.accuracy > 1 and not metrics.loss > 1").out == "nothing matches\n"
    lines = run("search", "metrics.accuracy > 0 order by metrics.loss, name desc").out.splitlines()
    assert lines[0].split()[-4:] == ["registered", "accuracy", "loss", "description"]
    assert [line.split()[0] for line in lines[2:]] == ["mnist", "cifar", "bert"]
    assert "0.92" in lines[4]


def test_names_that_no_version_has_are_told(zoo: None) -> None:
    done = run("search", "metrics.acuracy > 0.5 and metrics.accuracy > 0.5 or tags.\"a b\" = 'x' or extra.deep.key = 1")
    assert done.out == "nothing matches\n"
    assert done.err.splitlines() == [
        "warning: no version has metrics.acuracy",
        'warning: no version has tags."a b"',
        "warning: no version has extra.deep.key",
    ]


def test_people_are_told_how_to_go_on(zoo: None) -> None:
    done = run("search", "order by name", "--limit", "2")
    cursor = run("search", "order by name", "--limit", "2", "--json").document["cursor"]
    assert done.err == f"warning: there are more than 2; see them with --after {cursor}\n"
    assert run("search", "order by name", "--limit", "2", "--after", cursor).out.splitlines()[2].startswith("  mnist")
    assert run("search", "order by name", "--limit", "3").err == ""


def test_a_mistake_is_pointed_at(digits: Done) -> None:
    done = run("search", "metrics.accuracy >= and size > 1")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: search, column 21: expected a value after '>=', found 'and'\n"
        "  metrics.accuracy >= and size > 1\n"
        "                      ^\n"
        "hint: write a number\n"
    )


def test_programs_get_the_mistake_as_a_document(digits: Done) -> None:
    error = run("search", "autor = 'Ada'", "--json").document["error"]
    assert error["type"] == "InvalidQueryError"
    assert error["message"] == "search, column 1: there is no field 'autor'"
    assert error["hint"] == "did you mean 'author'?"


def test_a_cursor_of_another_query_is_a_mistake_without_a_place(zoo: None) -> None:
    cursor = run("search", "", "--limit", "1", "--json").document["cursor"]
    done = run("search", "order by size", "--after", cursor)
    assert done.code == 2
    assert done.err == (
        "error: search: the cursor is not one of this query\n"
        "hint: pass the cursor of the page before, with the same query\n"
    )


def test_a_mistake_is_told_even_without_a_registry() -> None:
    assert run("search", "size >").code == 2
    assert run("search", "size > 1").code == 3


def test_the_names_of_metrics_are_shown_inert(zoo: None) -> None:
    done = run("search", 'metrics."\x1b[2J" is null')
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "\\x1b[2J" in done.out
