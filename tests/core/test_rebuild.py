"""Rebuilding: a registry whose catalog is lost or damaged is as it was afterwards, or tells what did not come back."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from tests.core.faults import CALLS, Children, Fault, Job, open_registry
from tests.core.snapshots import snapshot

from model_registry import (
    ModelRegistry,
    ModelRegistryError,
    Parent,
    RegistryNotFoundError,
    StorageError,
    VersionNotFoundError,
    canonical_json,
    manifest,
)


def register(registry: ModelRegistry, name: str, content: str, version: str | None = None, **more: Any) -> Any:
    return registry.register_model(name, {"x": content.encode()}, "custom", version=version, **more)


def change_something(registry: ModelRegistry, chance: random.Random, n: int) -> None:
    """One of everything that can be done, as chance will have it."""
    name = chance.choice(["a", "b", "Team/c"])
    entry = register(registry, name, f"{chance.randrange(9)}", performance_metrics={"f1": n / 9}, tags=[f"t{n % 3}"])
    removed = registry.list_models(removed=True)
    other = chance.choice(registry.list_models())
    for do, odds in (
        (lambda: registry.set_alias(name, chance.choice(["champion", "Next"]), entry.version), 0.4),
        (lambda: registry.undo_alias(name, "champion"), 0.1),
        (lambda: registry.rollback(name, "next"), 0.1),
        (lambda: registry.delete_alias(name, "champion"), 0.05),
        (lambda: registry.set_tag(name, "stage", n, entry.version), 0.3),
        (lambda: registry.delete_tag(name, "stage", entry.version), 0.1),
        (lambda: registry.set_tag(name, "team", f"{n} ✓"), 0.1),
        (lambda: registry.delete_tag(name, "team"), 0.05),
        (lambda: registry.describe(name, f"edited {n}", entry.version), 0.2),
        (lambda: registry.describe(name, chance.choice([None, f"about {n}"])), 0.1),
        (lambda: registry.link(name, entry.version, Parent("dataset", "mnist", "1")), 0.1),
        (lambda: registry.link(name, entry.version, other), 0.2 if other.digest != entry.digest else 0),
        (lambda: registry.unlink(name, entry.version, Parent("dataset", "mnist", "1"), "dataset"), 0.1),
        (lambda: registry.remove_model(name, entry.version), 0.25),
        (lambda: registry.restore_model(removed[-1].name, removed[-1].version), 0.1 if removed else 0),
        # What was removed is registered again, with the same bytes or with others.
        (lambda: register(registry, removed[0].name, f"{n % 2}", removed[0].version), 0.1 if removed else 0),
        (lambda: registry.collect_garbage(), 0.01),
    ):
        if chance.random() < odds:
            with suppress(VersionNotFoundError, ModelRegistryError):
                do()


def lose(path: Path) -> None:
    for file in path.glob("catalog.sqlite*"):
        file.unlink()


@pytest.fixture
def lived(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A small registry in which all sorts of things happened, and what it shows."""
    path = tmp_path / "models"
    registry = open_registry(path)
    for n in range(12):
        change_something(registry, random.Random(n), n)
    return path, snapshot(registry)


@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_versions_come_back_with_all_that_was_said_of_them(tmp_path: Path, seed: int) -> None:
    registry = open_registry(tmp_path)
    chance = random.Random(seed)
    for n in range(120):
        change_something(registry, chance, n)
        if chance.random() < 0.03:
            registry.backup()
    before = snapshot(registry)
    assert len(before["visible"]) > 60
    assert before["removed"]
    lose(tmp_path)
    report = ModelRegistry.rebuild(tmp_path)
    assert report.findings == ()
    after = snapshot(open_registry(tmp_path))
    for what, shown in before.items():
        assert after[what] == shown, what
    assert [f for f in open_registry(tmp_path).validate_registry(deep=True)["findings"] if f.severity != "info"] == []


def test_twice_over(lived: tuple[Path, dict[str, Any]]) -> None:
    path, before = lived
    for _ in range(2):
        lose(path)
        ModelRegistry.rebuild(path)
        assert snapshot(open_registry(path)) == before
        change = open_registry(path)
        change.set_tag("a", "again", "yes")
        before = snapshot(change)


def test_what_was_forgotten_stays_so_beside_another_of_its_number(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    register(registry, "m", "one", "1.0.0")
    registry.backup()
    registry.remove_model("m")
    other = register(registry, "m", "two", "1.0.0")
    (catalog,) = (tmp_path / "backups").glob("catalog-*")
    old = catalog.read_bytes()
    registry.collect_garbage(0)
    for newer in (tmp_path / "backups").glob("catalog-*"):
        newer.unlink()  # so that it is the noted changes that tell
    catalog.write_bytes(old)
    lose(tmp_path)
    assert ModelRegistry.rebuild(tmp_path).findings == ()
    registry = open_registry(tmp_path)
    assert [entry.digest for entry in registry.list_models()] == [other.digest]
    assert registry.list_models(removed=True) == []


@pytest.mark.parametrize("actor", ["x" * 201, "a\x1b[31mb", ""])
def test_an_actor_that_can_be_none_is_unknown(tmp_path: Path, actor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"actor": actor, "user": actor}
    monkeypatch.setattr("model_registry.provenance.of_this_process", lambda: facts)
    register(open_registry(tmp_path), "m", "one")
    lose(tmp_path)
    shutil.rmtree(tmp_path / "backups", ignore_errors=True)
    ModelRegistry.rebuild(tmp_path)
    assert [event.actor for event in open_registry(tmp_path).history()] == ["unknown"]


def test_the_numbers_of_versions_go_on(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    register(registry, "m", "one")
    register(registry, "m", "two")
    registry.remove_model("m", "1.0.1")
    registry.collect_garbage(0)
    lose(tmp_path)
    ModelRegistry.rebuild(tmp_path)
    assert register(open_registry(tmp_path), "m", "three").version == "1.0.2"


def test_without_a_backup_every_version_is_visible(tmp_path: Path) -> None:
    registry = open_registry(tmp_path, backup_enabled=False)
    entries = [register(registry, "m", "one"), register(registry, "m", "two", parent="m:1.0.0", description="d")]
    registry.set_tag("m", "stage", "prod", "1.0.0")
    actors = [event.actor for event in registry.history() if event.action == "registered"]
    lose(tmp_path)
    report = ModelRegistry.rebuild(tmp_path, backup_enabled=False)
    assert (report.versions, report.removed, report.backup, report.changes) == (2, 0, None, 0)
    again = open_registry(tmp_path).list_models()
    assert again == entries
    assert [entry.parents for entry in again] == [entry.parents for entry in entries]
    assert [event.actor for event in open_registry(tmp_path).history()] == actors
    assert again[0].tags == {}
    assert not (tmp_path / "backups").exists()


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(os.urandom(50_000)),
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a page of zeros": lambda path: path.write_bytes(
        (data := path.read_bytes())[:8192] + bytes(16384) + data[8192 + 16384 :]
    ),
    "another program's": lambda path: (path.unlink(), _foreign(path)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link": lambda path: (path.unlink(), path.symlink_to("/nonexistent/x")),
}


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE things (x)")


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_of_any_kind(lived: tuple[Path, dict[str, Any]], damage: str) -> None:
    path, before = lived
    with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for log in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
        (path / log).unlink(missing_ok=True)
    DAMAGE[damage](path / "catalog.sqlite")
    (path / "catalog.sqlite-wal").write_bytes(b"a log of nobody knows what")
    broken = (path / "catalog.sqlite").read_bytes() if (path / "catalog.sqlite").is_file() else None
    report = ModelRegistry.rebuild(path)
    assert snapshot(open_registry(path)) == before
    assert report.moved is not None
    aside = Path(report.moved, "catalog.sqlite")
    assert (aside.read_bytes() if aside.is_file() else None) == broken
    assert os.path.lexists(aside) == (damage != "gone")
    if damage != "garbage":
        assert [f for f in ModelRegistry(path).validate_registry(deep=True)["errors"] if "catalog" in f] == []


def test_a_sound_catalog_stays(lived: tuple[Path, dict[str, Any]]) -> None:
    path, before = lived
    with pytest.raises(StorageError, match=r"is sound; nothing was changed — .*--force"):
        ModelRegistry.rebuild(path)
    assert snapshot(open_registry(path)) == before


@pytest.mark.parametrize("with_backups", [True, False])
def test_by_force_a_sound_catalog_is_what_the_new_one_begins_with(
    lived: tuple[Path, dict[str, Any]], with_backups: bool
) -> None:
    path, before = lived
    if not with_backups:
        shutil.rmtree(path / "backups")
    report = ModelRegistry.rebuild(path, force=True)
    assert report.backup == str(path / "catalog.sqlite")
    assert snapshot(open_registry(path)) == before


def test_nothing_is_moved_to_where_a_link_leads(lived: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, before = lived
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (path / "backups").rename(path / "was")
    (path / "backups").symlink_to(elsewhere)
    with pytest.raises(StorageError, match="backups is a link"):
        ModelRegistry.rebuild(path, force=True)
    assert list(elsewhere.iterdir()) == []
    assert snapshot(open_registry(path)) == before


def test_whoever_has_the_old_catalog_open_goes_on_with_the_new_one(lived: tuple[Path, dict[str, Any]]) -> None:
    path, _ = lived
    there = open_registry(path)
    there.set_tag("a", "before", "yes")
    ModelRegistry.rebuild(path, force=True)
    there.set_tag("a", "after", "yes")
    entry = register(there, "a", "afterwards")
    del there  # its connection to the old catalog must not take the new one's log with it
    fresh = open_registry(path)
    assert {"before", "after"} <= set(fresh.tags("a"))
    assert fresh.resolve("a", entry.version) == entry


def test_nothing_to_rebuild(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(RegistryNotFoundError):
            ModelRegistry.rebuild(folder)
    assert list(tmp_path.iterdir()) == []


class TestWhatIsMissing:
    @pytest.fixture
    def three(self, tmp_path: Path) -> tuple[Path, list[Any]]:
        registry = open_registry(tmp_path)
        return tmp_path, [register(registry, "m", text) for text in ("one", "two", "three")]

    @pytest.mark.parametrize("with_backup", [True, False])
    @pytest.mark.parametrize("what", ["manifest", "metadata"])
    @pytest.mark.parametrize("how", ["gone", "changed"])
    def test_a_lost_version_is_told_and_the_others_are_there(
        self, three: tuple[Path, list[Any]], what: str, how: str, with_backup: bool
    ) -> None:
        path, entries = three
        if with_backup:
            open_registry(path).backup()
        blob = path / "blobs/sha256" / entries[1].digest
        if what == "metadata":
            document = json.loads(blob.read_bytes())
            blob = blob.with_name(document["layers"][-1]["digest"].removeprefix("sha256:"))
        blob.chmod(0o644)
        blob.unlink() if how == "gone" else blob.write_bytes(blob.read_bytes() + b" ")
        lose(path)
        report = ModelRegistry.rebuild(path)
        assert report.versions == 2
        codes = {(finding.severity, finding.code) for finding in report.findings}
        # Of a manifest that is gone nobody knows, unless a backup does.
        assert codes == (
            {("error", "version-lost")} if with_backup or what == "metadata" or how == "changed" else set()
        )
        assert open_registry(path).list_models() == [entries[0], entries[2]]

    def test_a_version_without_its_files_is_there_and_told(self, three: tuple[Path, list[Any]]) -> None:
        path, entries = three
        (path / "blobs/sha256" / entries[1].files[0].sha256).unlink()
        lose(path)
        report = ModelRegistry.rebuild(path)
        (finding,) = report.findings
        assert (finding.code, finding.where) == ("blob-missing", "m:1.0.1")
        registry = open_registry(path)
        assert registry.list_models() == entries
        assert registry.validate_registry()["valid_models"] == 2

    def test_without_a_record_of_its_origin_a_version_is_as_old_as_its_manifest(
        self, three: tuple[Path, list[Any]]
    ) -> None:
        path, entries = three
        for blob in (path / "blobs/sha256").iterdir():
            if b"provenance.v1+json" in blob.read_bytes():
                blob.unlink()
        lose(path)
        assert ModelRegistry.rebuild(path).findings == ()
        for old, new in zip(entries, open_registry(path).list_models(), strict=True):
            assert new.digest == old.digest
            assert abs((new.registered_at - old.registered_at).total_seconds()) < 5

    def test_a_damaged_backup_is_told_and_an_older_one_used(self, three: tuple[Path, list[Any]]) -> None:
        path, _ = three
        registry = open_registry(path)
        registry.set_tag("m", "first", "1")
        registry.backup()
        registry.set_tag("m", "second", "2")
        newest = Path(registry.backup())
        newest.write_bytes(newest.read_bytes()[:5000])
        registry.set_tag("m", "third", "3")
        before = snapshot(registry)
        lose(path)
        report = ModelRegistry.rebuild(path)
        assert [(finding.code, finding.where) for finding in report.findings] == [
            ("backup-damaged", f"backups/{newest.name}")
        ]
        assert snapshot(open_registry(path)) == before

    def test_a_backup_that_is_a_pipe_or_a_link_is_not_read(self, three: tuple[Path, list[Any]]) -> None:
        path, entries = three
        (path / "backups").mkdir(exist_ok=True)
        os.mkfifo(path / "backups/catalog-20990101T000000000000Z.sqlite")
        (path / "backups/catalog-20990101T000000000001Z.sqlite").symlink_to(path / "catalog.sqlite")
        (path / "backups/changes-20990101T000000000000Z.jsonl").symlink_to("/dev/zero")
        lose(path)
        ModelRegistry.rebuild(path)
        assert open_registry(path).list_models() == entries


class TestTwoOfOneNumber:
    def two(self, path: Path) -> tuple[Any, Any]:
        registry = open_registry(path, backup_enabled=False)
        first = register(registry, "m", "one", "1.0")
        with registry._context.catalog._connections.writing(durable=True) as db:  # no event: nobody noted it
            db.execute("UPDATE versions SET removed_at = 1")
        second = register(registry, "m", "two", "1.0.0")
        return first, second

    def test_the_newer_one_is_visible(self, tmp_path: Path) -> None:
        first, second = self.two(tmp_path)
        lose(tmp_path)
        report = ModelRegistry.rebuild(tmp_path)
        assert [finding.code for finding in report.findings] == ["version-twice"]
        registry = open_registry(tmp_path)
        assert [entry.digest for entry in registry.list_models()] == [second.digest]
        assert [entry.digest for entry in registry.list_models(removed=True)] == [first.digest]
        registry.remove_model("m")
        registry.restore_model("m")

    def test_the_one_that_a_backup_knows_as_visible_stays_so(self, tmp_path: Path) -> None:
        registry = open_registry(tmp_path)
        first = register(registry, "m", "one", "1.0")
        registry.backup()
        with registry._context.catalog._connections.writing(durable=True) as db:
            db.execute("UPDATE versions SET removed_at = 1")
        second = register(registry, "m", "two", "1.0")
        lose(tmp_path)
        ModelRegistry.rebuild(tmp_path)
        again = open_registry(tmp_path)
        assert [entry.digest for entry in again.list_models()] == [first.digest]
        assert [entry.digest for entry in again.list_models(removed=True)] == [second.digest]


class TestHostile:
    def planted(self, path: Path) -> None:
        """A version whose files are the manifest and documents of a version that was never registered."""
        metadata = canonical_json.dump(
            {"schemaVersion": 1, "writer": {}, "metadata": {"name": "prod", "version": "9", "format": "custom"}}
        )
        config = b"{}"
        record = manifest.write([], metadata, config)
        open_registry(path).register_model("gift", {"a": metadata, "b": config, "c": record}, "custom")

    def test_a_manifest_among_the_files_of_a_version_is_no_visible_version(self, tmp_path: Path) -> None:
        self.planted(tmp_path)
        lose(tmp_path)
        report = ModelRegistry.rebuild(tmp_path)
        assert [(finding.code, finding.where) for finding in report.findings] == [("version-doubtful", "prod:9")]
        registry = open_registry(tmp_path)
        assert [entry.name for entry in registry.list_models()] == ["gift"]
        assert [entry.name for entry in registry.list_models(removed=True)] == ["prod"]

    @pytest.mark.parametrize(
        "line",
        [
            b"{", b"[]", b"1", b'"x"', b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b"x" * (3 << 20),
            *(
                json.dumps({"id": 900, "at": 1, "actor": "x", "action": "tag-set", "model": "m", "version": None,
                            "digest": None, "subject": "k", "before": None, "after": "v", **change}).encode()
                for change in (
                    {"id": -1}, {"id": "1"}, {"id": 1 << 70}, {"at": "now"}, {"at": 1 << 62}, {"actor": 3},
                    {"actor": "x" * 999}, {"action": "drop"}, {"action": ["x"]}, {"model": "../x"}, {"version": "@a"},
                    {"digest": "../../x"}, {"subject": ""}, {"after": 3.5e400}, {"after": ["x"]},
                    {"action": "alias-set", "after": "x"}, {"action": "alias-set", "after": {"digest": "0"}},
                    {"action": "alias-set", "subject": "latest"}, {"action": "removed", "subject": None},
                    {"action": "linked", "after": {"nome": "x"}}, {"action": "unlinked", "before": None},
                    {"action": "described", "after": "\ud800"},
                )
            ),
        ],
        ids=lambda line: ascii(line[:40]),
    )  # fmt: skip
    def test_lines_that_are_no_changes_are_told_and_left_out(self, tmp_path: Path, line: bytes) -> None:
        registry = open_registry(tmp_path)
        register(registry, "m", "one")
        registry.set_tag("m", "good", "1")
        before = snapshot(registry)
        (changes,) = (tmp_path / "backups").glob("changes-*")
        changes.write_bytes(line + b"\n" + changes.read_bytes())
        lose(tmp_path)
        report = ModelRegistry.rebuild(tmp_path)
        assert {finding.code for finding in report.findings} <= {"change-torn", "change-unreadable"}
        assert report.findings
        assert snapshot(open_registry(tmp_path)) == before

    def test_a_file_without_end_is_read_up_to_a_limit(self, tmp_path: Path) -> None:
        registry = open_registry(tmp_path)
        register(registry, "m", "one")
        registry.set_tag("m", "good", "1")
        before = snapshot(registry)
        (changes,) = (tmp_path / "backups").glob("changes-*")
        with changes.open("ab") as file:
            file.truncate(1 << 40)  # of zeros, which take no room
        lose(tmp_path)
        report = ModelRegistry.rebuild(tmp_path)
        assert {finding.code for finding in report.findings} == {"change-unreadable"}
        assert snapshot(open_registry(tmp_path)) == before


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("damage", ["gone", "garbage"])
def test_killed_at_any_call_it_can_be_run_again(children: Children, memory: Path, damage: str) -> None:
    base = memory / f"base {damage}"
    registry = open_registry(base)
    for n in range(6):
        change_something(registry, random.Random(n), n)
    before = snapshot(registry)
    with closing(sqlite3.connect(base / "catalog.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    del registry
    (base / "catalog.sqlite-wal").unlink(missing_ok=True)
    DAMAGE[damage](base / "catalog.sqlite")
    for n in itertools.count(1):
        path = memory / f"struck {damage} {n}"
        shutil.copytree(base, path)
        outcome = children.run(Job("rebuild", (path,), Fault("python", "kill", n, CALLS)))
        assert outcome.acknowledged or outcome.signal == SIGKILL, outcome
        if not outcome.acknowledged:
            with suppress(StorageError):  # it was complete when it was killed
                ModelRegistry.rebuild(path)
        assert {**snapshot(open_registry(path)), "stats": None} == {**before, "stats": None}
        shutil.rmtree(path)
        if outcome.acknowledged:
            break
    assert n > 5


def test_several_at_once(children: Children, lived: tuple[Path, dict[str, Any]]) -> None:
    path, before = lived
    lose(path)
    outcomes = children.race([Job("rebuild", (path,)) for _ in range(4)])
    assert any(outcome.acknowledged for outcome in outcomes)
    assert {outcome.error for outcome in outcomes} <= {"", "StorageError"}, outcomes
    assert snapshot(open_registry(path)) == before
