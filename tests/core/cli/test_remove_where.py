"""``remove --where``: all that a query finds, and only when that was said."""

from __future__ import annotations

import pytest
from command_line import Done, run

from model_registry import ModelRegistry

searching = pytest.mark.skipif(not hasattr(ModelRegistry, "search"), reason="this core has no search")


def left() -> list[str]:
    return [entry.version for entry in ModelRegistry("models").list_models()]


@searching
def test_what_a_query_finds_is_removed_and_can_be_restored(digits: Done) -> None:
    done = run("remove", "--where", "metrics.accuracy < 0.96", "--yes")
    assert done.code == 0
    assert done.out.startswith("removed 1 version, 0.0 MB, in 0.")
    assert "restore NAME:VERSION" in done.out
    assert left() == ["1.0.1"]
    assert run("restore", "digits:1.0.0").code == 0


@searching
def test_programs_get_a_document(digits: Done) -> None:
    document = run("remove", "--where", "name = 'digits'", "--yes", "--json").document
    assert [version["version"] for version in document["removed"]] == ["1.0.0", "1.0.1"]
    assert (document["restorable"], document["failed"], document["dry_run"]) == (True, [], False)


@searching
def test_without_yes_nothing_is_removed(digits: Done) -> None:
    done = run("remove", "--where", "name = 'digits'")
    assert done.code == 2
    assert "the query finds 2 versions; add --yes to remove them, or --dry-run to see them" in done.err
    done = run("remove", "--where", "name = 'digits'", "--dry-run")
    assert (done.code, done.out.splitlines()[:2]) == (0, ["digits:1.0.0", "digits:1.0.1"])
    assert left() == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    "words",
    [
        ["remove"],
        ["remove", "digits", "--where", "name = 'digits'", "--yes"],
        ["remove", "digits:1.0.0", "--dry-run"],
        ["remove", "--where", "", "--yes"],
        ["remove", "--yes"],
    ],
)
def test_what_is_unclear_removes_nothing(digits: Done, words: list[str]) -> None:
    assert run(*words).code == 2
    assert left() == ["1.0.0", "1.0.1"]
