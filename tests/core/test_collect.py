"""Leases, garbage collection, and what heals itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL

import pytest
from tests.core import faults, faults_child
from tests.core.faults import Children, Job, open_registry, parts

from model_registry import (
    IntegrityError,
    ModelRegistry,
    RegistrationLostError,
    RegistryNotFoundError,
    StorageError,
    VersionExistsError,
    VersionNotFoundError,
    leases,
)
from model_registry.blobs.local import LocalBlobs
from model_registry.clock import DAY
from model_registry.operations import context

POINTS = ("staged", "claimed", "placed")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return open_registry(tmp_path / "registry")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Do something once, when the next registration of this process has come to a point."""

    def at(point: str, do: Callable[[], object]) -> None:
        monkeypatch.setattr(faults_child.SqliteCatalog, "claim", faults_child.SqliteCatalog.claim)
        monkeypatch.setattr(faults_child.SqliteCatalog, "commit", faults_child.SqliteCatalog.commit)
        monkeypatch.setattr(faults_child.registration, "place", faults_child.registration.place)
        pending = [do]
        faults_child.pause_at(point, lambda: pending and pending.pop()())

    return at


def register(registry: ModelRegistry, name: str = "m", version: str | None = "1.0.0", label: str = "") -> None:
    label = label or f"{name} {version}"
    registry.register_model(name, parts(label), "custom", version=version, label=label)


def path_of(registry: ModelRegistry) -> Path:
    return registry.settings.path


# Leases


def test_a_dead_owners_lease_is_reaped_at_once(tmp_path: Path) -> None:
    path = tmp_path / "registry"
    with Children() as children:
        assert children.run(Job("die_in_stage", (path,))).signal == SIGKILL
    registry = open_registry(path)
    assert faults.rows(registry, "leases") == 1
    assert faults.blobs_on_disk(path)
    assert len(faults.staged(path)) == 1
    report = registry.collect_garbage()
    assert report.blobs > 0
    assert faults.blobs_on_disk(path) == set()
    faults.assert_nothing_unused(path)


def test_an_owner_that_ended_but_was_not_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = leases.owner().split("|")
        owner[1:] = [str(child.pid), leases._started(child.pid)]
        assert not leases.is_dead("|".join(owner))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
        assert leases.is_dead("|".join(owner))
    assert leases.is_dead("|".join(owner))


@pytest.mark.parametrize(
    "change",
    [
        lambda machine, pid, started: (machine, pid, started),
        lambda machine, pid, started: ("elsewhere", pid, started),
        lambda machine, pid, started: ("elsewhere", "999999999", "1"),
        lambda machine, pid, started: (machine, pid, "?"),
        lambda machine, pid, started: ("garbage", "x", ""),
    ],
)
def test_who_may_still_live_is_not_dead(change: Callable[..., tuple[str, str, str]]) -> None:
    assert not leases.is_dead("|".join(change(*leases.owner().split("|"))))


def test_a_process_id_that_another_process_has_now_is_dead() -> None:
    machine, pid, started = leases.owner().split("|")
    assert leases.is_dead(f"{machine}|{pid}|{int(started) - 1}")


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError])
def test_a_process_that_proc_hides_is_not_dead(monkeypatch: pytest.MonkeyPatch, error: type[OSError]) -> None:
    """As /proc does with other users' processes when it is mounted with hidepid=1 or 2."""
    owner = leases.owner()

    def hidden(path: Path, *args: object, **kwargs: object) -> str:
        raise error(str(path))

    monkeypatch.setattr(Path, "read_text", hidden)
    assert not leases.is_dead(owner)


@pytest.mark.parametrize("point", POINTS)
def test_a_living_owners_registration_survives_collecting(
    registry: ModelRegistry, meanwhile: Callable[..., None], point: str
) -> None:
    """Its shared content belongs to a version that is removed and collected just then."""
    register(registry, "other", label="same content")
    other = open_registry(path_of(registry), backup_enabled=False)
    meanwhile(point, lambda: (other.remove_model("other"), other.collect_garbage(0)))
    register(registry, "m", label="same content")
    assert faults.assert_sound(path_of(registry)) == {"m:1.0.0"}
    faults.assert_nothing_unused(path_of(registry))


@pytest.mark.parametrize("point", POINTS)
def test_a_registration_whose_lease_was_taken_away_is_lost_and_leaves_nothing(
    registry: ModelRegistry, meanwhile: Callable[..., None], monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    register(registry, "other", label="same content")
    before = faults.blobs_on_disk(path_of(registry))
    other = open_registry(path_of(registry))
    monkeypatch.setattr(leases, "is_dead", lambda owner: True)
    meanwhile(point, other.collect_garbage)
    with pytest.raises(RegistrationLostError, match="taken for dead — register again"):
        register(registry, "m", label="same content")
    assert faults.blobs_on_disk(path_of(registry)) == before
    assert faults.staged(path_of(registry)) == []
    assert faults.rows(registry, "leases") == 0
    assert faults.assert_sound(path_of(registry)) == {"other:1.0.0"}


def test_a_blob_is_not_unlinked_under_a_registration_that_just_found_it(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collecting has decided what is garbage and is about to unlink it when the same content is registered."""
    register(registry, "old", label="same content")
    registry.remove_model("old")
    other = open_registry(path_of(registry))
    registering = threading.Thread(target=register, args=(other, "m", "1.0.0", "same content"))
    delete = LocalBlobs.delete
    one_at_a_time = threading.Lock()  # blobs are deleted by several threads, and a thread starts only once

    def late(blobs: LocalBlobs, sha256: str) -> int:
        with one_at_a_time:
            if registering.ident is None:
                registering.start()
                registering.join(0.5)  # it cannot end before collecting has, but it gets the chance
        return delete(blobs, sha256)

    monkeypatch.setattr(LocalBlobs, "delete", late)
    assert registry.collect_garbage(0).blobs > 0
    registering.join()
    assert faults.assert_sound(path_of(registry)) == {"m:1.0.0"}


def test_a_failed_registration_keeps_what_another_has_claimed(
    registry: ModelRegistry, meanwhile: Callable[..., None]
) -> None:
    """Both have the same content; the one that fails last must not take the blobs from the one that is still on."""
    other = open_registry(path_of(registry))

    def fail() -> None:
        with pytest.raises(VersionExistsError):
            register(other, "taken", label="same content")

    register(registry, "taken", label="first")
    meanwhile("placed", fail)
    register(registry, "m", label="same content")
    assert faults.assert_sound(path_of(registry)) == {"taken:1.0.0", "m:1.0.0"}


# Healing


@pytest.mark.parametrize("written_by", ["memory", "loader"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_registering_the_same_bytes_again_heals_a_damaged_blob(tmp_path: Path, damage: str, written_by: str) -> None:
    registry = open_registry(tmp_path / "registry", written_by=written_by)
    register(registry, "m", "1.0.0", "same content")
    record = next(file for file in registry.get_model_info("m").files if file.path.endswith("own.bin"))
    blob = path_of(registry) / "blobs" / "sha256" / record.sha256
    content = blob.read_bytes()
    blob.unlink()
    if damage != "gone":
        blob.write_bytes(bytes([content[0] ^ 1]) + content[1:] if damage == "flipped" else content[:-1])
    with pytest.raises(IntegrityError):
        registry.load_model("m", "1.0.0")
    assert not registry.get_model_info("m").verify_integrity()
    register(registry, "m", "2.0.0", "same content")
    assert blob.read_bytes() == content
    assert faults.assert_sound(path_of(registry)) == {"m:1.0.0", "m:2.0.0"}


# Removing and restoring


def test_what_was_removed_comes_back_whole(registry: ModelRegistry) -> None:
    register(registry)
    assert registry.remove_model("m", "1.0.0")
    assert registry.list_models() == []
    assert not registry.remove_model("m", "1.0.0")
    registry.collect_garbage()
    assert [entry.reference for entry in registry.restore_model("m", "1.0.0")] == ["m:1.0.0"]
    assert faults.assert_sound(path_of(registry)) == {"m:1.0.0"}


def test_what_was_registered_anew_is_not_replaced_by_restoring(registry: ModelRegistry) -> None:
    register(registry, label="old")
    registry.remove_model("m", "1.0.0")
    register(registry, label="new")
    with pytest.raises(VersionExistsError, match="registered again since; remove that one first"):
        registry.restore_model("m", "1.0.0")
    assert registry.load_model("m").model == parts("new")
    registry.remove_model("m", "1.0.0")
    registry.restore_model("m", "1.0.0")
    assert registry.load_model("m").model == parts("new"), "of several removals the newest returns"


def test_without_backups_removing_frees_the_space_at_once(tmp_path: Path) -> None:
    registry = open_registry(tmp_path / "registry", backup_enabled=False)
    register(registry, "kept", label="kept")
    before = faults.blobs_on_disk(path_of(registry))
    register(registry, "m", label="removed")
    assert registry.remove_model("m")
    assert faults.blobs_on_disk(path_of(registry)) == before
    with pytest.raises(VersionNotFoundError):
        registry.restore_model("m")
    assert faults.assert_sound(path_of(registry)) == {"kept:1.0.0"}
    faults.assert_nothing_unused(path_of(registry))


@pytest.mark.parametrize(("days", "kept"), [(7.5, True), (6.5, False), (0, False)])
def test_what_was_removed_is_kept_for_so_many_days(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch, days: float, kept: bool
) -> None:
    register(registry)
    registry.remove_model("m")
    later = registry.list_models(removed=True)[0].removed_at.timestamp() * 1e6 + 7 * DAY
    monkeypatch.setattr("model_registry.operations.collect.now", lambda: int(later))
    report = registry.collect_garbage(days)
    assert report.versions == (0 if kept else 1)
    assert bool(registry.list_models(removed=True)) == kept
    assert bool(faults.blobs_on_disk(path_of(registry))) == kept


def test_collecting_with_0_days_forgets_what_was_removed_just_now(registry: ModelRegistry) -> None:
    register(registry, "kept", label="same content")
    register(registry, "m", label="same content")
    registry.remove_model("m")
    size = sum(file.stat().st_size for file in (path_of(registry) / "blobs/sha256").iterdir())
    report = registry.collect_garbage(0)
    assert report.versions == 1
    assert report.blobs == 4, "metadata, config, manifest and provenance; the content is shared"
    assert size - report.bytes == sum(file.stat().st_size for file in (path_of(registry) / "blobs/sha256").iterdir())
    assert faults.assert_sound(path_of(registry)) == {"kept:1.0.0"}
    faults.assert_nothing_unused(path_of(registry))


def test_collecting_leaves_strangers_in_the_folder_alone(registry: ModelRegistry) -> None:
    register(registry)
    strangers = [path_of(registry) / "blobs" / "sha256" / "README", path_of(registry) / "mine.txt"]
    for stranger in strangers:
        stranger.write_text("not a blob")
    registry.collect_garbage(0)
    assert all(stranger.exists() for stranger in strangers)


@pytest.mark.parametrize("lost", ["deleted", "emptied"])
def test_a_lost_catalog_never_makes_garbage_of_the_blobs(registry: ModelRegistry, lost: str) -> None:
    registry.register_model("m", parts("precious"), "custom")
    folder = registry.settings.path
    for file in folder.glob("catalog.sqlite*"):
        file.unlink()
    if lost == "emptied":
        (folder / "catalog.sqlite").touch()
    blobs = sorted(folder.glob("blobs/sha256/*"))
    assert blobs
    with pytest.raises(StorageError, match=r"«model-registry rebuild» makes it anew"):
        ModelRegistry(folder)
    assert sorted(folder.glob("blobs/sha256/*")) == blobs


def test_a_registry_made_by_another_process_while_this_one_opens_it_is_not_lost(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register_model("m", parts("precious"), "custom")
    opened = context.open_catalog
    answers = iter([RegistryNotFoundError("not yet")])

    def late(*arguments: object, **keywords: object) -> object:
        for answer in answers:
            raise answer
        return opened(*arguments, **keywords)

    monkeypatch.setattr(context, "open_catalog", late)
    assert [entry.name for entry in ModelRegistry(registry.settings.path).list_models()] == ["m"]


def test_a_registration_that_takes_longer_than_its_lease_is_not_collected_while_its_process_lives(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_registry.catalog.sqlite.LEASE_SECONDS", -1.0)
    catalog = registry._context.catalog
    mine, unknown = catalog.begin(leases.owner()), catalog.begin("another machine|1|1")
    registry.collect_garbage()
    catalog.claim(mine, [])
    with pytest.raises(RegistrationLostError):
        catalog.claim(unknown, [])
