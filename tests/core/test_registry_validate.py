"""Validation: every version is looked at, every byte accounted for, and nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_registry import ModelEntry, ModelRegistry


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


def test_versions_without_their_plugin_are_sound_but_told(registry: ModelRegistry, entry: ModelEntry) -> None:
    report = ModelRegistry("models", disabled_plugins=["bytes"]).validate_registry()
    assert (report["valid_models"], report["errors"], len(report["warnings"])) == (2, [], 2)
    assert {finding.code for finding in report["findings"]} == {"plugin-missing"}


def test_blobs_of_nobody_are_told(registry: ModelRegistry, entry: ModelEntry) -> None:
    Path("models/blobs/sha256", "0" * 64).touch()
    (finding,) = registry.validate_registry()["findings"]
    assert (finding.severity, finding.code) == ("info", "blobs-unused")
