"""Removing, restoring, and giving the space back."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_registry import CollectReport, ModelNotFoundError, ModelRegistry, VersionExistsError, VersionNotFoundError


def blobs() -> int:
    return len(list(Path("models/blobs/sha256").iterdir()))


def test_a_removed_version_is_gone_and_comes_back_whole(registry: ModelRegistry) -> None:
    entry = registry.register_model("m", b"x")
    assert registry.remove_model("m", "1.0") is True
    assert (registry.list_models(), registry.get_model_info("m")) == ([], None)
    (hidden,) = registry.list_models(removed=True)
    assert hidden.removed_at is not None
    with pytest.raises(ModelNotFoundError):
        registry.load_model("m")
    assert registry.collect_garbage() == CollectReport(0, 0, 0)
    assert registry.restore_model("m") == [entry]
    assert registry.load_model("m").model == b"x"


def test_nothing_to_remove_is_false_and_nothing_to_restore_is_an_error(registry: ModelRegistry) -> None:
    assert (registry.remove_model("m"), registry.remove_model("m", "latest"), registry.remove_model("m", "1")) == (
        False,
    ) * 3
    with pytest.raises(VersionNotFoundError, match=r"^m:1 was not removed, or was forgotten since"):
        registry.restore_model("m", "1")


def test_latest_removes_the_latest_only(registry: ModelRegistry) -> None:
    for _ in range(3):
        registry.register_model("m", b"x")
    registry.remove_model("m", "latest")
    assert [entry.version for entry in registry.list_models()] == ["1.0.0", "1.0.1"]
    registry.remove_model("m")
    assert registry.list_models() == []


def test_a_number_is_never_given_twice_but_may_be_asked_for(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x")
    registry.remove_model("m")
    assert registry.register_model("m", b"x").version == "1.0.1"
    registry.register_model("m", b"y", version="1.0.0")
    with pytest.raises(VersionExistsError, match="registered again since; remove that one first"):
        registry.restore_model("m", "1.0.0")


def test_without_backups_the_space_is_free_at_once_but_for_what_others_share(registry: ModelRegistry) -> None:
    careless = ModelRegistry("models", backup_enabled=False)
    careless.register_model("n", b"abc")
    left = blobs()
    careless.register_model("m", b"abc")
    careless.remove_model("m")
    assert blobs() <= left + 1  # its provenance, which no manifest names, waits for a collection
    careless.collect_garbage()
    assert blobs() == left
    assert careless.load_model("n").model == b"abc"


def test_collecting_forgets_what_was_removed_long_enough_ago(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x")
    registry.remove_model("m")
    report = registry.collect_garbage(0)
    assert (report.versions, blobs()) == (1, 0)
    assert report.blobs > 0
    assert registry.collect_garbage(0) == CollectReport(0, 0, 0)


def test_what_was_removed_says_how_it_comes_back(registry: ModelRegistry) -> None:
    registry.register_model("m", b"x", version="1.0")
    registry.remove_model("m")
    with pytest.raises(VersionNotFoundError, match=r"^m was removed — «model-registry restore m» brings it back$"):
        registry.load_model("m")
    with pytest.raises(VersionNotFoundError, match=r"^m 1\.0 was removed — «model-registry restore m 1\.0»"):
        registry.load_model("m", "1.0")
