"""``remove``, ``restore`` and ``gc``: what goes, what comes back, and what never asks."""

from __future__ import annotations

import pytest
from command_line import Done, run

from model_registry import ModelRegistry


def present() -> list[str]:
    return [entry.reference for entry in ModelRegistry("models").list_models()]


@pytest.mark.parametrize("words", [["digits", "1.0.0"], ["digits:1.0.0"]])
def test_one_version_goes_and_comes_back(digits: Done, words: list[str]) -> None:
    done = run("remove", *words)
    assert done.out == ("removed digits:1.0.0\nfor 7 days this brings it back: model-registry restore digits:1.0.0\n")
    assert present() == ["digits:1.0.1"]
    assert run("restore", *words).out == "restored digits:1.0.0\n"
    assert present() == ["digits:1.0.0", "digits:1.0.1"]


def test_a_whole_model_goes_only_with_yes(digits: Done) -> None:
    refused = run("remove", "digits")
    assert refused.code == 2
    assert refused.err.startswith("error: digits has 2 versions; add --yes to remove all of it, or name one version")
    assert len(present()) == 2
    assert run("remove", "digits", "--yes").code == 0
    assert present() == []
    restored = run("restore", "digits", "--json").document["restored"]
    assert [version["reference"] for version in restored] == ["digits:1.0.0", "digits:1.0.1"]


def test_json_says_what_is_gone_and_whether_it_can_come_back(digits: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("remove", "digits:1.0.0", "--json").document["restorable"] is True
    monkeypatch.setenv("MODEL_REGISTRY_BACKUP_ENABLED", "no")
    document = run("remove", "digits", "1.0.1", "--json").document
    assert ([version["version"] for version in document["removed"]], document["restorable"]) == (["1.0.1"], False)


def test_without_backups_it_says_so(digits: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_BACKUP_ENABLED", "no")
    assert "it is gone for good" in run("remove", "digits:1.0.0").out


@pytest.mark.parametrize(
    "words", [["remove", "other"], ["remove", "digits", "9"], ["restore", "digits"], ["restore", "other", "1"]]
)
def test_what_is_not_there_exits_with_3(digits: Done, words: list[str]) -> None:
    assert run(*words).code == 3
    assert len(present()) == 2


def test_collecting_frees_what_was_removed_long_enough_ago(digits: Done) -> None:
    run("remove", "digits", "1.0.0")
    assert run("gc").out == "forgot 0 removed versions, unlinked 0 blobs, freed 0 B\n"
    document = run("gc", "--keep-removed-days", "0", "--json").document
    assert document["versions"] == 1
    assert document["blobs"] > 0
    assert document["bytes"] > 0
    assert run("restore", "digits", "1.0.0").code == 3


def test_days_are_no_less_than_none(digits: Done) -> None:
    assert run("gc", "--keep-removed-days", "-1").code == 2
