"""``validate``: names what is damaged, and exits with 5."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import ModelRegistry


@pytest.fixture
def damaged(digits: Done) -> None:
    """The first byte of the only file of both versions is another one; its size is the same."""
    entry = ModelRegistry("models").get_model_info("digits")
    assert entry is not None
    blob = Path("models/blobs/sha256", entry.files[0].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"x" + blob.read_bytes()[1:])


@pytest.mark.parametrize("options", [[], ["--deep"]])
def test_a_whole_registry_is_valid(digits: Done, options: list[str]) -> None:
    done = run("validate", *options)
    assert (done.code, done.out) == (0, "2 of 2 versions valid\n")


def test_damage_is_named_for_people(damaged: None) -> None:
    done = run("validate")
    assert done.code == 5
    assert done.out.splitlines()[2].split()[:4] == ["error", "blob-damaged", "digits:1.0.0,", "weights.bin"]
    assert done.out.splitlines()[-1] == "0 of 2 versions valid"


def test_damage_is_named_for_programs(damaged: None) -> None:
    done = run("validate", "--json")
    assert done.code == 5
    assert (done.document["total_models"], done.document["valid_models"]) == (2, 0)
    assert {finding["code"] for finding in done.document["findings"]} == {"blob-damaged"}
    assert len(done.document["errors"]) == 2
    assert done.document["warnings"] == []


def test_a_narrow_terminal_shows_the_whole_message(damaged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    out = run("validate").out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 90


def test_warnings_alone_exit_with_0(digits: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", "bytes")
    done = run("validate")
    assert done.code == 0
    assert "plugin-missing" in done.out
