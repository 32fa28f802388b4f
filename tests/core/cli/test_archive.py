"""``archive`` and ``restore-hot``, and what ``stats`` and ``gc`` tell of an archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from archiver import __file__ as archiver
from command_line import Done, run
from fake_plugins import Installer


@pytest.fixture
def archived(digits: Done, install: Installer) -> Done:
    """The older one of two versions, whose files differ, is archived."""
    install("archiver", Path(archiver).read_text(encoding="utf-8"), attribute="Archiver")
    Path("other.bin").write_bytes(b"BYTES of another model" + bytes(5_000))
    for _ in range(2):
        run("register", "other.bin", "--name", "other")
        Path("other.bin").write_bytes(b"BYTES of a third model" + bytes(5_000))
    return run("archive", "other", "--keep", "1")


def test_it_tells_what_became_smaller(archived: Done) -> None:
    assert archived.code == 0
    assert archived.out.startswith("archived 1 version: 5.0 kB became ")
    assert run("archive", "other", "--keep", "1", "--json").document == {
        "versions": [],
        "files": 0,
        "before_bytes": 0,
        "stored_bytes": 0,
        "skipped": {},
    }


def test_without_a_name_small_models_are_left_alone(archived: Done) -> None:
    assert run("archive").out == "archived 0 versions\n"


def test_statistics_show_the_archive(archived: Done) -> None:
    out = run("stats").out
    assert "Archive" in out
    assert "as they were" in out
    assert run("stats", "--json").document["archive"]["blobs"] == 1


def test_it_is_brought_back_for_good(archived: Done) -> None:
    assert run("restore-hot", "other:1.0.0").out == "restored other:1.0.0\n"
    assert list(Path("models/archive").glob("?" * 64)) == []
    assert run("archive", "other", "--keep", "0").out.startswith("archived 1 version")  # the other one
    assert run("restore-hot", "other@nobody").code == 3


def test_collecting_tells_of_packs(archived: Done) -> None:
    run("remove", "other", "--yes")
    assert " and 1 pack, freed " in run("gc", "--keep-removed-days", "0").out


def test_without_a_plugin_it_says_what_to_install(digits: Done) -> None:
    done = run("archive", "digits", "--keep", "0")
    assert done.code != 0
    assert done.err == "error: no plugin that archives is installed\nhint: install model-registry-compression\n"
