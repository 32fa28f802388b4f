"""The archive: files of cold versions lie in packs, and every version is what it was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.core import faults
from tests.core.faults import Children, Job, data, open_registry, packs, parts

from model_registry import (
    ColdFile,
    Encoded,
    ModelRegistry,
    TensorRecord,
    UnsupportedFormatError,
    hookimpl,
)
from model_registry.archive.cache import Cache
from model_registry.archive.folder import MOST_STEPS, Packs
from model_registry.operations.stored import read_manifest

Registry = ModelRegistry


def filled(path: Path, versions: int = 4, **config: Any) -> Registry:
    """Versions 1.0 to N.0 of a model, each of files that no other has and of such as all have."""
    registry = open_registry(path, **config)
    for n in range(1, versions + 1):
        registry.register_model("m", parts(f"v{n}"), "custom", version=f"{n}.0", label=f"v{n}")
    return registry


def own_blobs(registry: Registry, version: str) -> set[str]:
    """The members that only this version has."""
    entry = registry.resolve("m", version)
    others = {sha for each in registry.list_models() if each.digest != entry.digest for sha in members(registry, each)}
    return members(registry, entry) - others


def members(registry: Registry, entry: Any) -> set[str]:
    return {file.sha256 for file in read_manifest(registry._context, entry.digest, entry.reference).files}


def is_plain(path: Path, sha256: str) -> bool:
    return (path / "blobs" / "sha256" / sha256).exists()


def test_cold_versions_lie_in_packs_and_load_as_before(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    cold, hot = own_blobs(registry, "1.0"), own_blobs(registry, "3.0") | own_blobs(registry, "4.0")
    report = registry.archive("m", keep=2)
    assert report.versions == ("m:2.0", "m:1.0")
    assert not any(is_plain(tmp_path, sha256) for sha256 in cold)
    assert all(is_plain(tmp_path, sha256) for sha256 in hot)
    assert len(packs(tmp_path)) == 2
    assert faults.assert_sound(tmp_path) == {f"m:{n}.0" for n in range(1, 5)}
    assert report.before == sum(len(part) for n in (1, 2) for name, part in parts(f"v{n}").items() if "own" in name)


def test_what_a_hot_version_shares_stays_plain(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    shared = members(registry, registry.resolve("m", "1.0")) & members(registry, registry.resolve("m", "4.0"))
    assert shared
    registry.archive("m", keep=1)
    assert all(is_plain(tmp_path, sha256) for sha256 in shared)


def test_archiving_again_does_nothing(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.archive("m", keep=1)
    before = packs(tmp_path)
    assert registry.archive("m", keep=1).versions == ()
    assert packs(tmp_path) == before


def test_everything_can_be_archived(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.archive("m", keep=0)
    assert not any(is_plain(tmp_path, sha) for entry in registry.list_models() for sha in members(registry, entry))
    assert len(faults.assert_sound(tmp_path)) == 4
    faults.assert_nothing_unused(tmp_path)


@pytest.mark.parametrize("how", ["alias", "tag"])
def test_versions_that_are_named_stay_hot(tmp_path: Path, how: str) -> None:
    registry = filled(tmp_path)
    if how == "alias":
        registry.set_alias("m", "champion", "1.0")
    else:
        registry.set_tag("m", "archive", "never", "1.0")
    assert registry.archive("m", keep=1).versions == ("m:3.0", "m:2.0")


def test_the_policy_archives_what_is_large_and_idle(tmp_path: Path) -> None:
    registry = filled(tmp_path, compression_threshold=0.005, keep_hot=1, idle_days=1)
    small = {"own.bin": data("small", 100)}
    for version in ("1.0", "2.0"):
        registry.register_model("small", small | {"v": version.encode()}, "custom", version=version)
    assert registry.archive().versions == ()  # all were registered a moment ago
    entry = registry.resolve("m", "2.0")
    registry.load_model("m", "2.0")
    used = tmp_path / "uses" / entry.digest
    assert used.exists()
    two_days = time.time() - 2 * 86_400
    os.utime(used, (two_days, two_days))
    aged = open_registry(tmp_path, compression_threshold=0.005, keep_hot=1, idle_days=0)
    assert aged.archive().versions == ("m:3.0", "m:2.0", "m:1.0")


def test_garbage_collection_archives_if_it_is_told_to(tmp_path: Path) -> None:
    filled(tmp_path).collect_garbage()
    assert packs(tmp_path) == set()
    open_registry(tmp_path, auto_archive=True, compression_threshold=0, keep_hot=3).collect_garbage()
    assert len(packs(tmp_path)) == 1


def test_restored_for_good_is_plain_again_and_stays_so(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.archive("m", keep=0)
    registry.restore_hot("m", "2.0")
    assert all(is_plain(tmp_path, sha256) for sha256 in members(registry, registry.resolve("m", "2.0")))
    assert registry.archive("m", keep=0).versions == ()
    assert len(faults.assert_sound(tmp_path)) == 4
    faults.assert_nothing_unused(tmp_path)


def test_a_pack_that_holds_nothing_alone_goes(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.archive("m", keep=0)
    for n in range(1, 5):
        registry.restore_hot("m", f"{n}.0")
    assert packs(tmp_path) == set()
    assert len(faults.assert_sound(tmp_path)) == 4


def test_removing_a_version_breaks_no_other(tmp_path: Path) -> None:
    for removed in range(1, 5):
        path = tmp_path / str(removed)
        registry = filled(path)
        registry.archive("m", keep=1)
        registry.remove_model("m", f"{removed}.0")
        registry.collect_garbage(0)
        assert faults.assert_sound(path) == {f"m:{n}.0" for n in range(1, 5)} - {f"m:{removed}.0"}
        faults.assert_nothing_unused(path)


def test_what_only_one_version_is_told_by_goes_when_it_is_told_by_something_else(tmp_path: Path) -> None:
    registry = filled(tmp_path, 3)
    registry.archive("m", keep=1)
    hidden = own_blobs(registry, "2.0")
    registry.remove_model("m", "2.0")
    registry.collect_garbage(0)
    assert hidden <= registry._context.blobs.archived().keys()  # 1.0 is told by it
    registry.archive("m", keep=1)
    registry.collect_garbage(0)
    assert not hidden & registry._context.blobs.archived().keys()
    assert len(packs(tmp_path)) == 1
    assert faults.assert_sound(tmp_path) == {"m:1.0", "m:3.0"}
    faults.assert_nothing_unused(tmp_path)


def test_a_plain_file_of_a_removed_version_goes_likewise(tmp_path: Path) -> None:
    registry = filled(tmp_path, 3)
    registry.archive("m", keep=2)
    hidden = own_blobs(registry, "2.0")
    registry.remove_model("m", "2.0")
    registry.collect_garbage(0)
    assert all(is_plain(tmp_path, sha256) for sha256 in hidden)
    registry.archive("m", keep=1)
    registry.collect_garbage(0)
    assert not any(is_plain(tmp_path, sha256) for sha256 in hidden)
    assert faults.assert_sound(tmp_path) == {"m:1.0", "m:3.0"}


def test_the_space_of_an_archive_comes_back(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.archive("m", keep=1)
    registry.remove_model("m")
    report = registry.collect_garbage(0)
    assert report.packs == 3
    assert packs(tmp_path) == set()
    assert faults.blobs_on_disk(tmp_path) == set()


def test_without_backups_the_space_comes_back_at_once(tmp_path: Path) -> None:
    registry = filled(tmp_path, backup_enabled=False)
    registry.archive("m", keep=1)
    registry.remove_model("m")
    assert packs(tmp_path) == set()
    registry.collect_garbage(0)
    assert faults.blobs_on_disk(tmp_path) == set()


def test_a_removed_version_can_be_restored_from_the_archive(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.archive("m", keep=1)
    registry.remove_model("m", "2.0")
    registry.collect_garbage()
    registry.restore_model("m", "2.0")
    assert len(faults.assert_sound(tmp_path)) == 4


def test_chains_are_bounded(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    for n in range(1, 3 * MOST_STEPS):
        registry.register_model("m", parts(f"v{n}"), "custom", version=f"{n}.0", label=f"v{n}")
        registry.archive("m", keep=1)
    listing = Packs(tmp_path / "archive").listing()
    depths = [listing.depth(sha256) for sha256 in listing.holders]
    assert max(depths) == MOST_STEPS
    assert len(faults.assert_sound(tmp_path)) == 3 * MOST_STEPS - 1


def test_the_same_model_registered_again_is_plain_and_the_archive_still_right(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    registry.archive("m", keep=1)
    registry.register_model("again", parts("v1"), "custom", label="v1")
    assert all(is_plain(tmp_path, sha) for sha in members(registry, registry.resolve("again")))
    assert len(faults.assert_sound(tmp_path)) == 5
    registry.remove_model("again")
    registry.collect_garbage(0)
    registry.archive("m", keep=1)
    assert len(faults.assert_sound(tmp_path)) == 4
    faults.assert_nothing_unused(tmp_path)


def test_copying_an_archived_version_gives_a_plain_one(tmp_path: Path) -> None:
    registry = filled(tmp_path / "a")
    registry.archive("m", keep=0)
    report = registry.copy_versions(tmp_path / "b", progress=False)
    assert report.ok
    assert len(faults.assert_sound(tmp_path / "b")) == 4
    assert packs(tmp_path / "b") == set()


def test_rebuilding_finds_what_is_archived(tmp_path: Path) -> None:
    filled(tmp_path).archive("m", keep=0)
    for file in tmp_path.glob("catalog.sqlite*"):
        file.unlink()
    report = ModelRegistry.rebuild(tmp_path)
    assert (report.versions, report.findings) == (4, ())
    assert len(faults.assert_sound(tmp_path)) == 4


def test_the_cache_is_bounded_and_verified(tmp_path: Path) -> None:
    filled(tmp_path).archive("m", keep=0)
    with Children() as children:

        def loads(n: int) -> bool:
            loaded = children.run(Job("load", (tmp_path, "m", f"{n}.0", 0.005)))
            return {name: bytes.fromhex(part) for name, part in loaded.result.items()} == parts(f"v{n}")

        for n in range(1, 5):
            assert loads(n)
            restored = [file for file in (tmp_path / "cache").iterdir() if len(file.name) == 64]
            assert 0 < sum(file.stat().st_size for file in restored) <= 6_500  # one version, which is larger than 5,000
            assert not list((tmp_path / "cache").glob("restoring-*"))
            for file in restored:  # nobody gives way who was just restored
                an_hour = time.time() - 3_600
                os.utime(file, (an_hour, an_hour))
        for file in restored:
            file.chmod(0o600)
            file.write_bytes(data("forged", file.stat().st_size))
        assert all(loads(n) for n in range(1, 5))


def test_what_is_used_does_not_give_way(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10)
    use = cache.use()
    assert use is not None
    for name in "ab":
        sha256 = name * 64
        use.add(sha256)
        cache.add(sha256, 10, lambda descriptor: os.ftruncate(descriptor, 10))
        os.utime(tmp_path / sha256, (0, 0))
    Cache(tmp_path, 10).add("c" * 64, 10, lambda descriptor: os.ftruncate(descriptor, 10))
    assert {file.name[0] for file in tmp_path.iterdir() if len(file.name) == 64} == {"a", "b", "c"}
    del use
    Cache(tmp_path, 10).add("d" * 64, 10, lambda descriptor: os.ftruncate(descriptor, 10))
    assert {file.name[0] for file in tmp_path.iterdir() if len(file.name) == 64} == {"c", "d"}


def test_statistics_tell_what_was_saved(tmp_path: Path) -> None:
    registry = filled(tmp_path)
    before = registry.get_detailed_stats()
    assert before["disk_bytes"] == before["stored_bytes"]
    report = registry.archive("m", keep=1)
    stats = registry.get_detailed_stats()
    archived = stats["archive"]
    assert stats["logical_bytes"] == before["logical_bytes"]
    assert (archived["packs"], archived["before_bytes"]) == (3, report.before)
    assert archived["stored_bytes"] == sum((tmp_path / "archive" / name).stat().st_size for name in packs(tmp_path))
    assert sum(method["before"] for method in archived["methods"].values()) == report.before
    blobs = sum(file.stat().st_size for file in (tmp_path / "blobs" / "sha256").iterdir())
    assert stats["disk_bytes"] == blobs + archived["stored_bytes"]


def test_without_a_plugin_everything_but_loading_works(tmp_path: Path) -> None:
    filled(tmp_path).archive("m", keep=1)
    registry = ModelRegistry(tmp_path, disabled_plugins=installed())
    registry.loaders["custom"] = faults.FolderLoader()
    assert registry.validate_registry()["errors"] == []
    registry.remove_model("m", "3.0")
    registry.collect_garbage(0)
    assert registry.load_model("m", "4.0").model == parts("v4")
    with pytest.raises(UnsupportedFormatError, match="install model-registry-compression"):
        registry.load_model("m", "1.0")
    with pytest.raises(UnsupportedFormatError, match="install model-registry-compression"):
        registry.archive("m", keep=0)
    assert len(faults.assert_sound(tmp_path)) == 3


def test_without_a_plugin_garbage_is_collected_all_the_same(tmp_path: Path) -> None:
    filled(tmp_path).remove_model("m", "1.0")
    keys = {"auto_archive": True, "compression_threshold": 0, "keep_hot": 1}
    registry = ModelRegistry(tmp_path, disabled_plugins=installed(), **keys)
    assert registry.collect_garbage(0).versions == 1
    assert packs(tmp_path) == set()


def installed() -> list[str]:
    from importlib_metadata import entry_points

    return sorted({point.name for point in entry_points(group="model_registry.plugins")})


class Twinned:
    """Tells one tensor in each file, after a first byte that is the file's own, and archives by twins alone."""

    @hookimpl(tryfirst=True)
    def tensors(self, files: Any) -> list[TensorRecord]:
        return [TensorRecord(name, "uint8", (files.size(name) - 1,), name, 1, files.size(name) - 1) for name in files]

    @hookimpl(tryfirst=True)
    def encode(self, cold: ColdFile) -> list[Callable[[], Encoded]]:
        ways = [lambda: Encoded(1, "raw", bytes(cold.read(0, 1)))]
        if 1 in cold.twins:
            return [*ways, lambda: Encoded(cold.size - 1, "same", b"", cold.twins[1])]
        return [*ways, lambda: Encoded(cold.size - 1, "raw", bytes(cold.read(1, cold.size - 1)))]


def test_files_of_one_pack_are_not_told_by_each_other(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    registry._context.plugins._manager.register(Twinned())
    body = data("body", 20_000)
    model = {"x.bin": b"x" + body, "y.bin": b"y" + body}
    registry.register_model("twins", model, "custom")
    registry.archive("twins", keep=0)
    fresh = open_registry(tmp_path)
    assert fresh.load_model("twins").model == model
    third = {"z.bin": b"z" + body, "a.bin": b"a"}
    registry.register_model("third", third, "custom")
    assert registry.archive("third", keep=0).stored < 2_000
    assert open_registry(tmp_path).load_model("third").model == third
