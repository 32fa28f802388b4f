"""Repairing: real damage of every kind is found by deep validation, put right where that is safe, and told."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.core.faults import Children, Job, open_registry, staged
from tests.core.snapshots import snapshot

from model_registry import ModelEntry, ModelRegistry, Parent
from model_registry.blobs.local import LocalBlobs

Damage = Callable[[Path], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A registry with versions that share files, have parents, metrics and tags, and one that was removed."""
    registry = open_registry(tmp_path)
    for n in range(3):
        registry.register_model(
            "m", {"own.bin": b"own %d" % n, "shared.bin": b"shared"}, "custom",
            performance_metrics={"f1": n / 2}, tags=["a", f"t{n}"], parent=["m"] if n else (),
        )  # fmt: skip
    registry.register_model("gone", {"x": b"gone"}, "custom")
    registry.remove_model("gone")
    registry.set_tag("m", "stage", "prod", "1.0.0")
    registry.link("m", "1.0.1", Parent("dataset", "mnist"))
    assert registry.validate_registry(deep=True)["findings"] == []
    return tmp_path


def edit(path: Path, *statements: str) -> None:
    """Change the catalog behind the registry's back."""
    with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
        db.create_function("unpack", 1, lambda packed: packed)
        for statement in statements:
            db.execute(statement)
        db.commit()


def codes(registry: ModelRegistry) -> set[str]:
    return {finding.code for finding in registry.validate_registry(deep=True)["findings"]}


def blob(path: Path, content: bytes) -> Path:
    return next(file for file in (path / "blobs/sha256").iterdir() if file.read_bytes() == content)


def overwrite(file: Path, content: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(0o444)


def without_trigger(path: Path, statement: str) -> None:
    """Delete references as a program does that knows nothing of triggers."""
    with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
        (text,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'blob_unused'").fetchone()
        db.execute("DROP TRIGGER blob_unused")
        db.execute(statement)
        db.execute(text)
        db.commit()


def corrupt_index(path: Path) -> None:
    with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'INDEX metrics_by_value ON metrics (name, value)',"
            " 'INDEX metrics_by_value ON metrics (name, value) WHERE value > 9')"
        )
        db.commit()
    with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
        db.execute("REINDEX metrics_by_value")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = replace(sql, ' WHERE value > 9', '')")
        db.commit()


#: What is done to the registry, and what deep validation calls it.
REPAIRABLE: dict[str, tuple[str, Damage]] = {
    "size": ("row-differs", lambda path: edit(path, "UPDATE versions SET size = 7 WHERE id = 1")),
    "format": (
        "row-differs",
        lambda path: edit(path, "INSERT OR IGNORE INTO words (word) VALUES ('onnx')",
                          "UPDATE versions SET format = (SELECT id FROM words WHERE word = 'onnx') WHERE id = 2"),
    ),
    "type": (
        "row-differs",
        lambda path: edit(path, "INSERT OR IGNORE INTO words (word) VALUES ('audio')",
                          "UPDATE versions SET model_type = (SELECT id FROM words WHERE word = 'audio') WHERE id = 2"),
    ),
    "metadata": ("row-differs", lambda path: edit(path, "UPDATE versions SET metadata = x'00ff' WHERE id = 1")),
    "metadata of another": (
        "row-differs",
        lambda path: edit(path, "UPDATE versions SET metadata = (SELECT metadata FROM versions WHERE id = 2)"),
    ),
    "sort key": ("row-differs", lambda path: edit(path, "UPDATE versions SET sort_key = '1zzz' WHERE id = 2")),
    "size of a blob": ("row-differs", lambda path: edit(path, "UPDATE blobs SET size = 9 WHERE id = 1")),
    "a metric": ("index-differs", lambda path: edit(path, "UPDATE metrics SET value = 99")),
    "metrics": ("index-differs", lambda path: edit(path, "DELETE FROM metrics")),
    "labels": ("index-differs", lambda path: edit(path, "DELETE FROM labels WHERE version_id = 2")),
    "parents": ("index-differs", lambda path: edit(path, "DELETE FROM edges WHERE declared")),
    "a parent's digest": ("index-differs", lambda path: edit(path, "UPDATE edges SET digest = x'00' WHERE declared")),
    "a parent that seems linked": ("index-differs", lambda path: edit(path, "UPDATE edges SET declared = 0")),
    "paths": ("index-differs", lambda path: edit(path, "UPDATE version_blobs SET path = 0 WHERE version_id = 1")),
    "a blob's digest": ("rows-dangling", lambda path: edit(path, "UPDATE blobs SET sha256 = x'00ff' WHERE id = 1")),
    "references": ("references-missing", lambda path: edit(path, "DELETE FROM version_blobs WHERE version_id = 1")),
    "blobs": ("references-missing", lambda path: edit(path, "DELETE FROM blobs WHERE id = 1")),
    "uses": ("uses-differ", lambda path: edit(path, "UPDATE blobs SET uses = uses - 1 WHERE id = 2")),
    "too many uses": ("uses-differ", lambda path: edit(path, "UPDATE blobs SET uses = uses + 1")),
    "no trigger": ("uses-differ", lambda path: without_trigger(path, "DELETE FROM version_blobs WHERE version_id = 4")),
    "rows of nobody": ("rows-dangling", lambda path: edit(path, "INSERT INTO labels VALUES (77, 1)")),
    "an index": ("catalog-damaged", corrupt_index),
    "a layout file": ("layout-missing", lambda path: (path / "index.json").unlink()),
    "permissions": ("blobs-writable", lambda path: blob(path, b"shared").chmod(0o644)),
    "a stray": ("stray-damaged", lambda path: (path / "blobs/sha256" / ("0" * 64)).write_bytes(b"stray")),
    "a blob that is staged elsewhere": ("blob-replaceable", lambda path: spare(path, "staging/" + "0" * 32)),
    "a removed version's blob": ("blob-replaceable", lambda path: spare(path, "quarantine", b"gone")),
}  # fmt: skip


def spare(path: Path, folder: str, content: bytes = b"shared") -> None:
    (path / folder).mkdir(parents=True)
    shutil.copy(blob(path, content), path / folder / "spare")
    overwrite(blob(path, content), b"other")


def seen(path: Path) -> dict[str, Any]:
    return snapshot(open_registry(path))


@pytest.mark.parametrize("what", REPAIRABLE)
def test_what_can_be_put_right_is(path: Path, what: str) -> None:
    before = seen(path)
    code, damage = REPAIRABLE[what]
    damage(path)
    if code != "blob-replaceable":  # which validation knows as a damaged file of a version
        assert code in codes(open_registry(path))
    dry = open_registry(path).repair(dry_run=True)
    assert code in {finding.code for finding in dry.done}
    report = open_registry(path).repair()
    assert {finding.code for finding in report.done} >= {code}
    assert report.left == ()
    assert open_registry(path).validate_registry(deep=True)["findings"] == []
    assert open_registry(path).repair() == evolve(report, done=(), left=())
    assert seen(path) == before
    open_registry(path).collect_garbage(0)
    assert [entry.verify_integrity() for entry in open_registry(path).list_models()] == [True] * 3


def test_nothing_wrong_is_nothing_done(path: Path) -> None:
    report = open_registry(path).repair()
    assert (report.done, report.left) == ((), ())


def test_what_is_only_looked_at_stays_as_it_is(path: Path) -> None:
    edit(path, "UPDATE versions SET size = 7 WHERE id = 1")
    blob(path, b"shared").chmod(0o644)
    for _ in range(2):
        assert len(open_registry(path).repair(dry_run=True).done) == 2


def test_missing_references_are_added_before_a_collection_takes_the_blobs(path: Path) -> None:
    edit(path, "DELETE FROM version_blobs WHERE version_id <= 3")
    registry = open_registry(path)
    registry.repair()
    registry.collect_garbage(0)
    assert registry.validate_registry(deep=True)["findings"] == []


class TestWhatIsLeft:
    @pytest.mark.parametrize("damage", [Path.unlink, lambda file: overwrite(file, b"other")], ids=["gone", "changed"])
    def test_a_damaged_file_of_a_version_is_told_and_not_deleted(self, path: Path, damage: Damage) -> None:
        file = blob(path, b"own 1")
        damage(file)
        left = file.read_bytes() if file.exists() else None
        report = open_registry(path).repair()
        assert {(finding.severity, finding.where) for finding in report.left} == {("error", "m:1.0.1, own.bin")}
        assert (file.read_bytes() if file.exists() else None) == left
        assert len(open_registry(path).list_models()) == 3

    def test_a_damaged_file_of_a_removed_version_is_a_warning(self, path: Path) -> None:
        overwrite(blob(path, b"gone"), b"other")
        report = open_registry(path).repair()
        assert {(finding.severity, finding.code) for finding in report.left} == {("warning", "blob-lost")}
        assert "blob-lost" in codes(open_registry(path))

    @pytest.mark.parametrize("what", [b"provenance.v1+json", b'"implementation"'])
    def test_a_damaged_record_is_found_by_deep_validation(self, path: Path, what: bytes) -> None:
        file = next(file for file in (path / "blobs/sha256").iterdir() if what in file.read_bytes())
        overwrite(file, b"{}")
        report = open_registry(path).validate_registry(deep=True)
        assert (report["errors"], report["valid_models"]) == ([], 3)
        assert any(file.name in finding.where for finding in report["findings"])

    def test_a_version_under_another_models_name(self, path: Path) -> None:
        edit(path, "INSERT INTO models (name, key) VALUES ('other', 'other')",
             "UPDATE versions SET model_id = (SELECT id FROM models WHERE name = 'other') WHERE id = 2")  # fmt: skip
        report = open_registry(path).repair()
        assert ("row-differs", "other:1.0.1") in {(finding.code, finding.where) for finding in report.left}
        ModelRegistry.rebuild(path, force=True)
        assert [entry.reference for entry in open_registry(path).list_models()] == ["m:1.0.0", "m:1.0.1", "m:1.0.2"]

    def test_a_damaged_table(self, path: Path) -> None:
        with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'metrics'").fetchone()
        with (path / "catalog.sqlite").open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 100)
        report = open_registry(path).validate_registry()
        assert report["valid_models"] == 3
        before = seen(path)["visible"]
        ModelRegistry.rebuild(path)
        assert seen(path)["visible"] == before


class TestWhatIsNoPlainFile:
    """Something else has the name of a blob, or of a spare: it is told, and never followed or waited for."""

    def test_a_link_in_place_of_a_blob(self, path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        outside = tmp_path_factory.mktemp("outside") / "file"
        outside.write_bytes(b"shared")
        outside.chmod(0o644)
        place = blob(path, b"shared")
        place.unlink()
        place.symlink_to(outside)
        report = open_registry(path).repair()
        assert {finding.code for finding in report.left} == {"blob-missing"}
        assert outside.stat().st_mode & 0o777 == 0o644

    def test_a_link_that_holds_the_bytes_is_no_spare(
        self, path: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        outside = tmp_path_factory.mktemp("outside") / "file"
        outside.write_bytes(b"shared")
        (path / "quarantine").mkdir()
        (path / "quarantine" / "spare").symlink_to(outside)
        overwrite(blob(path, b"shared"), b"other")
        report = open_registry(path).repair()
        assert (report.done, {finding.code for finding in report.left}) == ((), {"blob-damaged"})

    def test_a_pipe(self, path: Path) -> None:
        place = blob(path, b"shared")
        place.unlink()
        os.mkfifo(place)
        os.mkfifo(path / "blobs/sha256" / ("0" * 64))
        (path / "quarantine").mkdir()
        os.mkfifo(path / "quarantine" / "spare")
        assert "blob-missing" in codes(open_registry(path))
        report = open_registry(path).repair()
        assert {finding.code for finding in report.done} == {"stray-damaged"}
        assert next(e for e in open_registry(path).list_models() if e.version == "1.0.0").verify_integrity() is False
        open_registry(path).register_model("again", {"shared.bin": b"shared"}, "custom")
        assert place.is_file()


def test_a_dry_run_tells_the_versions_that_stay_damaged(path: Path) -> None:
    overwrite(blob(path, b"own 1"), b"other")
    spare(path, "quarantine")
    report = open_registry(path).repair(dry_run=True)
    assert [finding.code for finding in report.done] == ["blob-replaceable"]
    assert [(finding.code, finding.where) for finding in report.left] == [("blob-damaged", "m:1.0.1, own.bin")]


def test_each_blob_is_read_once_by_a_deep_validation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    is_intact = LocalBlobs.is_intact

    def counted(self: LocalBlobs, sha256: str, size: int) -> bool:
        if self._fingerprints.get(sha256) is None:
            read.append(sha256)
        return is_intact(self, sha256, size)

    monkeypatch.setattr(LocalBlobs, "is_intact", counted)
    time.sleep(0.1)  # until the files are old enough for what is found to be remembered
    open_registry(path).validate_registry(deep=True)
    assert sorted(read) == sorted(file.name for file in (path / "blobs/sha256").iterdir())


def test_swapped_blobs_are_put_back(path: Path) -> None:
    before = seen(path)
    one, two = blob(path, b"own 0"), blob(path, b"own 1")
    other = path / "swap"
    one.rename(other)
    two.rename(one)
    other.rename(two)
    report = open_registry(path).repair()
    assert [finding.code for finding in report.done] == ["blob-replaceable"] * 2
    assert report.left == ()
    assert seen(path) == before


def test_what_dead_registrations_left_is_discarded(path: Path) -> None:
    with Children() as children:
        children.run(Job("die_in_stage", (path,)))
        assert len(staged(path)) == 1
        assert "staging-left" in codes(open_registry(path))
        report = open_registry(path).repair()
    assert [finding.code for finding in report.done] == ["staging-left"]
    assert staged(path) == []


def test_what_a_registration_under_way_has_staged_stays(path: Path) -> None:
    registry = open_registry(path)

    class Looking(dict[str, bytes]):
        """A model that has the registry repaired while it is registered."""

        def items(self) -> Any:
            report = open_registry(path).repair()
            assert "staging-left" not in {finding.code for finding in report.done}
            return super().items()

    entry: ModelEntry = registry.register_model("n", Looking(x=b"x"), "custom")
    assert entry.verify_integrity()
