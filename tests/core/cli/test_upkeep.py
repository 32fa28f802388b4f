"""``backup``, ``repair`` and ``rebuild``: what they print, and the codes they exit with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import ModelRegistry

CATALOG = Path("models/catalog.sqlite")


def lose() -> None:
    for file in Path("models").glob("catalog.sqlite*"):
        file.unlink()


def edit(statement: str) -> None:
    with closing(sqlite3.connect(CATALOG)) as db:
        db.execute(statement)
        db.commit()


def damage() -> None:
    (file,) = ModelRegistry("models").resolve("digits").files
    blob = Path("models/blobs/sha256", file.sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"other")
    blob.chmod(0o444)


def test_backup_says_where(digits: Done) -> None:
    done = run("backup")
    (path,) = Path("models/backups").iterdir()
    assert (done.code, done.out) == (0, f"backed up the catalog as {path.absolute()}\n")
    assert Path(run("backup", "--json").document["path"]).is_file()


class TestRepair:
    def test_of_a_sound_registry(self, digits: Done) -> None:
        done = run("repair")
        assert (done.code, done.out) == (0, "nothing is wrong\n")
        assert run("repair", "--json").document == {"done": [], "left": []}

    def test_says_what_it_did(self, digits: Done) -> None:
        edit("UPDATE versions SET size = 7")
        dry = run("repair", "--dry-run")
        assert dry.code == 10
        assert dry.out.startswith("would be repaired: 2 findings\n")
        assert run("validate", "--deep").code == 5
        done = run("repair")
        assert done.code == 10
        assert done.out.startswith("repaired: 2 findings\n")
        assert "the catalog has another size than the manifest" in done.out
        assert run("validate", "--deep").code == 0
        assert run("repair").code == 0

    def test_says_what_is_left(self, digits: Done) -> None:
        damage()
        edit("UPDATE versions SET size = 7")
        done = run("repair", "--json")
        assert done.code == 5
        assert {finding["code"] for finding in done.document["done"]} == {"row-differs"}
        assert {finding["code"] for finding in done.document["left"]} == {"blob-damaged"}


class TestRebuild:
    def test_a_lost_catalog(self, digits: Done) -> None:
        ModelRegistry("models").set_alias("digits", "champion", "1.0.0")
        lose()
        failed = run("list")
        assert failed.code == 8
        assert "hint: «model-registry rebuild» makes it anew" in failed.err
        done = run("rebuild")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("rebuilt the catalog from catalog-")
        assert done.out.endswith(": 2 versions and 0 removed versions\n")
        assert ModelRegistry("models").aliases("digits") == {"champion": "1.0.0"}

    def test_from_the_blobs_alone(self, digits: Done) -> None:
        lose()
        assert run("rebuild").out == "rebuilt the catalog from the blobs alone: 2 versions and 0 removed versions\n"

    def test_a_sound_catalog_only_by_force(self, digits: Done) -> None:
        refused = run("rebuild")
        assert refused.code == 8
        assert "is sound; nothing was changed\nhint: «model-registry rebuild --force»" in refused.err
        done = run("rebuild", "--force")
        assert done.code == 0
        assert "\nthe old catalog is in " in done.out

    def test_what_did_not_come_back_is_told(self, digits: Done) -> None:
        blob = Path("models/blobs/sha256", ModelRegistry("models").resolve("digits").digest)
        blob.chmod(0o644)
        blob.write_bytes(blob.read_bytes() + b" ")
        lose()
        done = run("rebuild", "--json")
        assert done.code == 5
        assert (done.document["versions"], done.document["removed"], done.document["moved"]) == (1, 0, None)
        assert [finding["code"] for finding in done.document["findings"]] == ["version-lost"]

    def test_nothing_there(self, site: Path) -> None:
        assert run("rebuild", "--registry", "nowhere").code == 3
        assert not Path("nowhere").exists()


@pytest.mark.parametrize("words", [["repair"], ["backup"]])
def test_no_registry_is_made(site: Path, words: list[str]) -> None:
    assert run(*words, "--registry", "nowhere").code == 3
    assert not Path("nowhere").exists()
