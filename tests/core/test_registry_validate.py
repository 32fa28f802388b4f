"""Validation: every version is looked at, every byte accounted for, and nothing is changed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from model_registry import ConfigurationError, ModelEntry, ModelRegistry
from model_registry.blobs.local import LocalBlobs


@pytest.fixture
def entry(registry: ModelRegistry) -> ModelEntry:
    registry.register_model("good", b"good")
    return registry.register_model("m", b"abcdef", parts=2)


def change(sha256: str) -> None:
    path = Path("models/blobs/sha256", sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"~")


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_registry_has_no_findings(registry: ModelRegistry, entry: ModelEntry, deep: bool) -> None:
    report = registry.validate_registry(deep=deep)
    assert report == {"total_models": 2, "valid_models": 2, "errors": [], "warnings": [], "findings": []}


def test_an_empty_registry_is_sound(registry: ModelRegistry) -> None:
    assert registry.validate_registry()["total_models"] == 0


def test_a_damaged_file_is_named_with_its_version(registry: ModelRegistry, entry: ModelEntry) -> None:
    change(entry.files[1].sha256)
    report = registry.validate_registry()
    assert (report["total_models"], report["valid_models"]) == (2, 1)
    (finding,) = report["findings"]
    assert (finding.severity, finding.code, finding.where) == ("error", "blob-damaged", "m:1.0.0, part-1.bin")
    assert report["errors"] == [str(finding)]


def test_a_missing_file_is_told_as_missing(registry: ModelRegistry, entry: ModelEntry) -> None:
    Path("models/blobs/sha256", entry.files[0].sha256).unlink()
    assert "blob-missing" in {finding.code for finding in registry.validate_registry()["findings"]}


def test_a_damaged_manifest_is_told(registry: ModelRegistry, entry: ModelEntry) -> None:
    change(entry.digest)
    codes = {(finding.code, finding.where) for finding in registry.validate_registry()["findings"]}
    assert ("manifest-damaged", "m:1.0.0") in codes


@pytest.mark.parametrize("deep", [False, True])
def test_each_version_is_told_of_with_whether_it_is_intact(
    registry: ModelRegistry, entry: ModelEntry, deep: bool
) -> None:
    lost = registry.register_model("lost", b"soon without a manifest")
    change(entry.files[1].sha256)
    Path("models/blobs/sha256", lost.digest).unlink()
    told: dict[str, bool] = {}
    registry.validate_registry(deep=deep, on_version=told.__setitem__)
    assert told == {registry.resolve("good").digest: True, entry.digest: False, lost.digest: False}


@pytest.mark.parametrize("cell", ["metadata = '{}'", "registered_at = 'x'", "digest = 'x'"])
def test_of_a_version_with_a_wrong_entry_only_the_finding_tells(
    registry: ModelRegistry, entry: ModelEntry, cell: str
) -> None:
    with closing(sqlite3.connect("models/catalog.sqlite")) as db, db:
        db.execute(f"UPDATE versions SET {cell} WHERE id = (SELECT max(id) FROM versions)")
    told: dict[str, bool] = {}
    report = registry.validate_registry(deep=True, on_version=told.__setitem__)
    assert (report["total_models"], report["valid_models"]) == (2, 1)
    assert ("manifest-damaged", "m:1.0.0") in {(finding.code, finding.where) for finding in report["findings"]}
    assert told == {registry.resolve("good").digest: True}


def test_versions_without_their_plugin_are_sound_but_told(registry: ModelRegistry, entry: ModelEntry) -> None:
    report = ModelRegistry("models", disabled_plugins=["bytes"]).validate_registry()
    assert (report["valid_models"], report["errors"], len(report["warnings"])) == (2, [], 2)
    assert {finding.code for finding in report["findings"]} == {"plugin-missing"}


def test_blobs_of_nobody_are_told(registry: ModelRegistry, entry: ModelEntry) -> None:
    Path("models/blobs/sha256", "0" * 64).touch()
    (finding,) = registry.validate_registry()["findings"]
    assert (finding.severity, finding.code) == ("info", "blobs-unused")


def test_what_is_removed_while_it_is_looked_at_does_not_count(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        registry.register_model(name, name.encode())
    other = ModelRegistry("models", backup_enabled=False)
    intact = LocalBlobs.is_intact

    def late(self: LocalBlobs, sha256: str, size: int) -> bool:
        other.remove_model("b")
        return intact(self, sha256, size)

    monkeypatch.setattr(LocalBlobs, "is_intact", late)
    report = registry.validate_registry(deep=True)
    assert (report["total_models"], report["valid_models"], report["errors"]) == (1, 1, [])


def test_blobs_of_removed_versions_are_missed_beside_other_findings(registry: ModelRegistry) -> None:
    gone, damaged = registry.register_model("gone", b"one"), registry.register_model("damaged", b"two")
    registry.remove_model("gone")
    Path("models/blobs/sha256", damaged.files[0].sha256).unlink()
    blob = json.loads(Path("models/blobs/sha256", gone.digest).read_bytes())["layers"][0]["digest"]
    Path("models/blobs/sha256", blob.removeprefix("sha256:")).unlink()
    codes = [finding.code for finding in registry.validate_registry()["findings"]]
    assert sorted(codes) == ["blob-missing", "blobs-absent"]


def test_a_mistake_in_the_configuration_is_no_damage(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x")
    with pytest.raises(ConfigurationError, match="no installed plugin is called 'bites'"):
        ModelRegistry("models", plugin_order=["bites"]).validate_registry()
