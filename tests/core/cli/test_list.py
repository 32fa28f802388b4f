"""``list``: the versions there are, by name, pattern, type and format."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import ModelRegistry


def references(*arguments: object) -> list[str]:
    return [version["reference"] for version in run("list", "--json", *arguments).document["versions"]]


@pytest.fixture
def zoo(weights: Path) -> None:
    registry = ModelRegistry("models")
    for name in ("team-a/cat", "team-a/dog", "team-b/cat"):
        registry.register_model(name, weights, "bytes", model_type="audio" if "dog" in name else "embedding")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["team-a/cat:1.0.0", "team-a/dog:1.0.0", "team-b/cat:1.0.0"]),
        (["team-a/*"], ["team-a/cat:1.0.0", "team-a/dog:1.0.0"]),
        (["TEAM-?/CAT"], ["team-a/cat:1.0.0", "team-b/cat:1.0.0"]),
        (["team-a/dog"], ["team-a/dog:1.0.0"]),
        (["--type", "audio"], ["team-a/dog:1.0.0"]),
        (["*cat", "--limit", "1"], ["team-a/cat:1.0.0"]),
        (["team-[!a]/*"], ["team-b/cat:1.0.0"]),
        (["team-[ac]/c*"], ["team-a/cat:1.0.0"]),
        (["[*"], []),
        (["\udcff*"], []),
        (["*cat", "--type", "embedding", "--format", "bytes"], ["team-a/cat:1.0.0", "team-b/cat:1.0.0"]),
        (["--format", "other"], []),
        (["--removed"], []),
    ],
)
def test_what_is_asked_for_is_listed(zoo: None, arguments: list[str], expected: list[str]) -> None:
    assert references(*arguments) == expected


@pytest.mark.parametrize("reference", ["team-a/cat:1.0.0", "team-a/cat@champion"])
def test_a_version_is_shown_and_not_listed(zoo: None, reference: str) -> None:
    done = run("list", reference)
    assert done.code == 2
    assert f"{reference!r} is a version, and a list is of models; see «model-registry show {reference}»" in done.err


def test_a_table_for_people(digits: Done) -> None:
    lines = run("list").out.splitlines()
    assert lines[0].split() == ["name", "version", "type", "format", "parameters", "size", "registered", "description"]
    assert lines[2].split()[:7] == ["digits", "1.0.0", "language_model", "bytes", "16", "16", "B"]
    assert lines[2].rstrip().endswith("handwritten digits")
    assert len(lines) == 4


@pytest.mark.parametrize(("limit", "more"), [(1, True), (2, False), (3, False)])
def test_a_limit_says_whether_there_are_more(digits: Done, limit: int, more: bool) -> None:
    assert run("list", "--json", "--limit", limit).document["more"] is more
    assert ("more than" in run("list", "--limit", limit).err) is more


@pytest.mark.parametrize("arguments", [["digit"], ["digit", "--json"]])
def test_a_name_that_no_model_has_is_not_found(digits: Done, arguments: list[str]) -> None:
    done = run("list", *arguments)
    assert done.code == 3
    assert "did you mean 'digits'" in done.err + done.out


def test_what_goes_to_a_file_has_no_spaces_at_the_ends_of_lines(digits: Done) -> None:
    for command in (["list"], ["show", "digits"], ["stats"], ["history"]):
        assert [line for line in run(*command).out.splitlines() if line != line.rstrip()] == []


def test_removed_versions_are_listed_with_the_time(digits: Done) -> None:
    run("remove", "digits:1.0.0")
    assert references() == ["digits:1.0.1"]
    assert references("--removed") == ["digits:1.0.0"]
    assert "removed" in run("list", "--removed").out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "no models in models yet; add one: model-registry register PATH --name NAME\n"),
        (["--removed"], "nothing was removed that could be restored\n"),
        (["nothing*"], "nothing matches; «model-registry list» shows all models\n"),
    ],
)
def test_an_empty_list_says_what_to_do(arguments: list[str], hint: str) -> None:
    ModelRegistry("models")
    done = run("list", *arguments)
    assert (done.code, done.out) == (0, hint)


def test_a_narrow_terminal_cuts_the_description_and_nothing_else(digits: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "95")
    line = run("list").out.splitlines()[2]
    assert len(line) <= 95
    assert "language_model" in line
    assert line.rstrip().endswith("…")
