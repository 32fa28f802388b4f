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
        "skipped": {"other:1.0.0": "archived already"},
    }


def test_it_tells_why_versions_stay_as_they_are(archived: Done) -> None:
    run("alias", "set", "other:1.0.1", "champion")
    assert run("archive", "other", "--keep", "0").out == (
        "archived 0 versions\n  other:1.0.1: named by @champion\n  other:1.0.0: archived already\n"
    )
    for _ in range(7):
        run("register", "other.bin", "--name", "many")
    assert run("archive", "many", "--keep", "1").out.endswith(
        "  many:1.0.5, many:1.0.4, many:1.0.3, many:1.0.2, many:1.0.1 and 1 more: "
        "other versions need the files, which stay as they are\n"
    )
    assert "newest" in run("archive", "other").out  # there are no more than keep_hot of them
    for name in ("one", "two"):
        run("register", "other.bin", "--name", name)
    run("alias", "delete", "other", "champion")
    assert "other:1.0.1: other versions need the files" in run("archive", "other", "--keep", "0").out
    run("restore-hot", "one")
    assert "one:1.0.0: tagged archive = never\n" in run("archive", "one", "--keep", "0").out


def test_without_a_name_small_models_are_left_alone(archived: Done) -> None:
    assert run("archive").out == "archived 0 versions\n"


def test_statistics_show_the_archive(archived: Done) -> None:
    out = run("stats").out
    assert "Archive" in out
    assert "as they were" in out
    assert run("stats", "--json").document["archive"]["blobs"] == 1


def test_it_is_brought_back_for_good(archived: Done) -> None:
    done = run("restore-hot", "other:1.0.0")
    assert (done.out, done.err) == ("the files of other:1.0.0 are plain files, and stay so\n", "")
    again = run("restore-hot", "other:1.0.0")
    assert again.err == "warning: other:1.0.0 was not archived; it is never archived from now on\n"
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
