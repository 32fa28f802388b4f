"""Backups: consistent, atomic, three of them; and between two, nothing that was acknowledged is lost."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from tests.core.faults import CALLS, Children, Fault, Job, open_registry, staged
from tests.core.snapshots import snapshot

from model_registry import ModelRegistry, StorageError
from model_registry.backups import Backups, stamp_at
from model_registry.clock import DAY, now


def register(registry: ModelRegistry, content: str) -> None:
    registry.register_model("m", {"x": content.encode()}, "custom")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    registry = open_registry(tmp_path)
    register(registry, "one")
    return registry


def copies(path: Path) -> list[Path]:
    return sorted((path / "backups").glob("catalog-*.sqlite"))


def lines(path: Path) -> list[dict[str, Any]]:
    files = sorted((path / "backups").glob("changes-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines() if line]


def test_a_backup_is_a_whole_catalog(registry: ModelRegistry, tmp_path: Path) -> None:
    path = Path(registry.backup())
    assert copies(tmp_path) == [path]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*) FROM versions").fetchone() == (1,)
    assert staged(tmp_path) == []


def test_three_are_kept_with_the_changes_since_the_one_before(registry: ModelRegistry, tmp_path: Path) -> None:
    for n in range(6):
        registry.set_tag("m", f"t{n}", n)
        newest = registry.backup()
    found = copies(tmp_path)
    assert len(found) == 3
    assert str(found[-1]) == newest
    assert [line["subject"] for line in lines(tmp_path)] == ["t3", "t4", "t5"]


def test_registering_alone_needs_none(registry: ModelRegistry, tmp_path: Path) -> None:
    register(registry, "two")
    assert not (tmp_path / "backups").exists()


def test_a_change_is_a_line_before_it_is_acknowledged(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.set_alias("m", "champion")
    (line,) = lines(tmp_path)
    (event,) = [event for event in registry.history() if event.action == "alias-set"]
    digest = registry.resolve("m").digest
    assert line == {
        "id": event.id, "at": line["at"], "actor": event.actor, "action": "alias-set", "model": "m",
        "version": "1.0.0", "digest": digest, "subject": "champion", "before": None,
        "after": {"version": "1.0.0", "digest": digest},
    }  # fmt: skip


def test_what_changes_nothing_is_no_line(registry: ModelRegistry, tmp_path: Path) -> None:
    for _ in range(2):
        registry.set_tag("m", "k", "v")
    assert len(lines(tmp_path)) == 1


def test_the_first_change_takes_a_backup_too_of_what_was_changed_without(tmp_path: Path) -> None:
    registry = open_registry(tmp_path, backup_enabled=False)
    register(registry, "one")
    registry.set_tag("m", "before", "1")
    assert not (tmp_path / "backups").exists()
    registry = open_registry(tmp_path)
    registry.set_tag("m", "after", "1")
    before = snapshot(registry)
    for file in tmp_path.glob("catalog.sqlite*"):
        file.unlink()
    ModelRegistry.rebuild(tmp_path)
    assert snapshot(open_registry(tmp_path)) == before


def test_collecting_takes_one(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.collect_garbage()
    assert len(copies(tmp_path)) == 1


def age(path: Path, days: float) -> Path:
    return path.rename(path.with_name(f"catalog-{stamp_at(now() - int(days * DAY))}.sqlite"))


@pytest.mark.parametrize(("days", "count"), [(0.5, 1), (1.5, 2)])
def test_what_changes_something_takes_one_a_day(
    registry: ModelRegistry, tmp_path: Path, days: float, count: int
) -> None:
    age(Path(registry.backup()), days)
    register(open_registry(tmp_path), "two")
    assert len(copies(tmp_path)) == count


def test_a_registry_that_is_older_than_a_day_and_has_none_gets_one(registry: ModelRegistry, tmp_path: Path) -> None:
    long_ago = (now() - 2 * DAY) / 1e6
    os.utime(tmp_path / "oci-layout", (long_ago, long_ago))
    register(open_registry(tmp_path), "two")
    assert len(copies(tmp_path)) == 1


def test_a_clock_that_was_set_back_does_not_hide_the_newest(registry: ModelRegistry, tmp_path: Path) -> None:
    late = age(Path(registry.backup()), -30)
    for _ in range(4):
        newest = Path(registry.backup())
    assert newest.name > late.name
    assert newest in copies(tmp_path)


def test_a_torn_line_takes_no_other_with_it(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.set_tag("m", "one", "1")
    (file,) = (tmp_path / "backups").glob("changes-*")
    file.write_bytes(file.read_bytes() + b'{"id":99,"action":"ta')
    registry.set_tag("m", "two", "2")
    read = [line for _, _, line in Backups(tmp_path).read_changes()]
    assert [json.loads(line)["subject"] for line in (read[0], read[2])] == ["one", "two"]


def test_the_longest_descriptions_are_one_line(registry: ModelRegistry, tmp_path: Path) -> None:
    longest = "\N{GRINNING FACE}" * 100_000
    for text in (longest, longest[1:] + "\x01"):
        registry.describe("m", text)
    for file in tmp_path.glob("catalog.sqlite*"):
        file.unlink()
    assert ModelRegistry.rebuild(tmp_path).findings == ()
    assert open_registry(tmp_path).description("m") == text


def test_changes_that_cannot_be_read_are_told_up_to_a_point(registry: ModelRegistry, tmp_path: Path) -> None:
    registry.set_tag("m", "one", "1")
    (file,) = (tmp_path / "backups").glob("changes-*")
    whole = file.read_bytes()
    file.write_bytes(whole + whole.replace(b'"id":', b'"id":-') * 1000 + whole.strip()[:-9] + b"\n")
    for each in tmp_path.glob("catalog.sqlite*"):
        each.unlink()
    found = ModelRegistry.rebuild(tmp_path).findings
    assert [(each.severity, each.code) for each in found] == [
        *[("warning", "change-unreadable")] * 10, ("info", "change-torn"), ("warning", "change-unreadable"),
    ]  # fmt: skip
    assert found[-1].message == "990 more changes cannot be read"
    assert open_registry(tmp_path).tags("m") == {"one": "1"}


def test_a_backup_of_the_future_keeps_none_from_being_taken(registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir(exist_ok=True)
    (tmp_path / "backups" / "catalog-99990101T000000000000Z.sqlite").touch()
    open_registry(tmp_path).set_tag("m", "one", "1")
    assert len(Backups(tmp_path).catalogs()) == 2


def test_without_backups_nothing_is_written(tmp_path: Path) -> None:
    registry = open_registry(tmp_path, backup_enabled=False)
    register(registry, "one")
    registry.set_tag("m", "k", "v")
    registry.remove_model("m")
    registry.collect_garbage()
    assert not (tmp_path / "backups").exists()


def test_a_folder_that_is_a_link_is_refused(registry: ModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "backups").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is a link"):
        registry.backup()
    registry.set_tag("m", "k", "v")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_damaged_catalog_makes_no_backup(registry: ModelRegistry, tmp_path: Path) -> None:
    good = registry.backup()
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'versions'").fetchone()
    with (tmp_path / "catalog.sqlite").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(StorageError, match="model-registry rebuild"):
        open_registry(tmp_path).backup()
    assert copies(tmp_path) == [Path(good)]


class TestFailures:
    """A change that was made stays made; what could not be noted is backed up with the next one."""

    def test_are_logged_and_caught_up_with(
        self, registry: ModelRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry.set_tag("m", "one", "1")
        (tmp_path / "backups").rename(tmp_path / "away")
        (tmp_path / "backups").write_text("a file where the folder should be")
        with caplog.at_level(logging.WARNING):
            registry.set_tag("m", "two", "2")
        assert "the catalog could not be backed up" in caplog.text
        (tmp_path / "backups").unlink()
        (tmp_path / "away").rename(tmp_path / "backups")
        registry.set_tag("m", "three", "3")
        before = snapshot(registry)
        for file in tmp_path.glob("catalog.sqlite*"):
            file.unlink()
        ModelRegistry.rebuild(tmp_path)
        assert snapshot(open_registry(tmp_path)) == before
        assert set(before["tags"]["m"]) == {"one", "two", "three"}

    @pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
    def test_at_any_call_leave_the_older_backups_and_nothing_half_done(
        self, children: Children, registry: ModelRegistry, tmp_path: Path, error: str
    ) -> None:
        good = registry.backup()
        for n in itertools.count(1):
            outcome = children.run(Job("backup", (tmp_path,), Fault("python", error, n, CALLS)))
            if outcome.acknowledged:
                break
            assert outcome.error == "StorageError", outcome
            assert copies(tmp_path)[0] == Path(good)
            assert all(is_sound(path) for path in copies(tmp_path))
            registry.collect_garbage()
            assert staged(tmp_path) == []
            good = str(copies(tmp_path)[0])
        assert n > 3


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


def test_killed_at_any_call_every_backup_is_whole(children: Children, registry: ModelRegistry, tmp_path: Path) -> None:
    for n in itertools.count(1):
        outcome = children.run(Job("backup", (tmp_path,), Fault("python", "kill", n, CALLS)))
        assert all(is_sound(path) for path in copies(tmp_path))
        if outcome.acknowledged:
            break
        assert outcome.signal == SIGKILL
    assert n > 3
    registry.collect_garbage()
    assert staged(tmp_path) == []


def test_killed_while_tagging_what_was_acknowledged_is_in_the_lines(
    children: Children, registry: ModelRegistry, tmp_path: Path
) -> None:
    for n in itertools.count(1):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "models")
            shutil.copytree(tmp_path, path)
            outcome = children.run(Job("tag_many", (path, "m", "k", 5), Fault("python", "kill", n, CALLS)))
            noted = {line["subject"] for line in lines_whole(path)}
            shown = open_registry(path).tags("m")
            # The last change may have been made, and not yet acknowledged.
            assert len(set(shown) - noted) <= 1
            for file in path.glob("catalog.sqlite*"):
                file.unlink()
            ModelRegistry.rebuild(path)
            assert set(open_registry(path).tags("m")) == noted or set(open_registry(path).tags("m")) == set(shown)
            if outcome.acknowledged:
                assert len(noted) == 5
                break
    assert n > 5


def lines_whole(path: Path) -> list[dict[str, Any]]:
    found = []
    for _, _, line in Backups(path).read_changes():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def test_several_processes_note_side_by_side(children: Children, registry: ModelRegistry, tmp_path: Path) -> None:
    outcomes = children.race([Job("tag_many", (tmp_path, "m", f"k{n}", 20)) for n in range(4)])
    assert [outcome.result for outcome in outcomes] == [20] * 4
    ids = [line["id"] for line in lines(tmp_path)]
    assert len(ids) == len(set(ids)) == 80
    before = snapshot(registry)
    for file in tmp_path.glob("catalog.sqlite*"):
        file.unlink()
    assert ModelRegistry.rebuild(tmp_path).findings == ()
    assert snapshot(open_registry(tmp_path)) == before
