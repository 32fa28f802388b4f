"""Versions that come blob by blob from what cannot be opened, and files that were hashed on the way."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path

import pytest

from model_registry import (
    Arrival,
    IntegrityError,
    ModelEntry,
    ModelRegistry,
    UnsafeModelError,
    VersionExistsError,
    VersionNotFoundError,
)

LARGE = os.urandom(3 << 20)


@pytest.fixture
def source(bytes_plugin: str) -> ModelRegistry:
    return ModelRegistry("source")


@pytest.fixture
def target(bytes_plugin: str) -> ModelRegistry:
    return ModelRegistry("target")


@pytest.fixture
def entry(source: ModelRegistry) -> ModelEntry:
    return source.register_model("group/m", LARGE, version="1.2", parts=2, author="Ada")


def test_everything_that_a_version_is_made_of_can_be_got(entry: ModelEntry) -> None:
    assert entry.blobs[entry.digest] == entry.blob(entry.digest).stat().st_size
    assert {file.sha256: file.size for file in entry.files}.items() <= entry.blobs.items()
    for digest, size in entry.blobs.items():
        data = entry.blob(digest).read_bytes()
        assert (sha256(data).hexdigest(), len(data)) == (digest, size)
    with pytest.raises(KeyError):
        entry.blob("0" * 64)


def test_a_damaged_blob_is_not_handed_out(entry: ModelEntry) -> None:
    path = entry.blob(entry.files[0].sha256)
    path.chmod(0o644)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(IntegrityError, match=entry.files[0].path):
        entry.blob(entry.files[0].sha256)


def test_a_version_is_received_as_it_is(entry: ModelEntry, target: ModelRegistry) -> None:
    at = datetime(2024, 5, 6, tzinfo=timezone.utc)
    received = target.receive_version(entry.digest, entry.blob, records=entry.blobs, registered_at=at)
    assert (received.reference, received.digest, received.registered_at) == ("group/m:1.2", entry.digest, at)
    assert received.blobs == entry.blobs
    assert received.provenance == entry.provenance
    assert target.load_model("group/m").model == LARGE
    assert target.validate_registry(deep=True)["findings"] == []


def test_without_records_its_origin_is_not_known(entry: ModelEntry, target: ModelRegistry) -> None:
    assert target.receive_version(entry.digest, entry.blob).provenance is None


def test_what_is_stored_already_is_not_fetched(entry: ModelEntry, source: ModelRegistry, target: ModelRegistry) -> None:
    target.receive_version(entry.digest, entry.blob)
    second = source.register_model("group/m", LARGE, version="1.3", parts=2)
    assert target.stored_blobs(second.blobs) == {file.sha256 for file in second.files}
    fetched: list[str] = []

    def fetch(digest: str) -> Path:
        fetched.append(digest)
        return second.blob(digest)

    target.receive_version(second.digest, fetch)
    assert not set(fetched) & {file.sha256 for file in second.files}


def test_only_blobs_of_a_named_model_count_as_stored(entry: ModelEntry, source: ModelRegistry) -> None:
    assert source.stored_blobs(entry.blobs, name="group/m") == set(entry.blobs)
    assert source.stored_blobs(entry.blobs, name="other") == set()
    wrong = {digest: size + 1 for digest, size in entry.blobs.items()}
    assert source.stored_blobs(wrong) == set()


def test_a_version_that_is_there_is_refused_or_returned(entry: ModelEntry, target: ModelRegistry) -> None:
    first = target.receive_version(entry.digest, entry.blob)
    with pytest.raises(VersionExistsError, match=r"^group/m:1.2 is registered already — versions are immutable"):
        target.receive_version(entry.digest, entry.blob)
    assert target.receive_version(entry.digest, entry.blob, exist_ok=True) == first


def test_another_version_of_the_same_name_is_refused(entry: ModelEntry, target: ModelRegistry) -> None:
    target.register_model("group/m", b"something else", version="1.2")
    with pytest.raises(VersionExistsError, match="with another digest"):
        target.receive_version(entry.digest, entry.blob, exist_ok=True)


@pytest.mark.parametrize("which", ["manifest", "file"])
def test_other_bytes_than_those_of_the_digest_are_refused(
    entry: ModelEntry, target: ModelRegistry, tmp_path: Path, which: str
) -> None:
    other = tmp_path / "other"
    changed = entry.digest if which == "manifest" else entry.files[0].sha256
    other.write_bytes(entry.blob(changed).read_bytes()[:-1] + b"!")
    with pytest.raises(IntegrityError):
        target.receive_version(entry.digest, lambda digest: other if digest == changed else entry.blob(digest))
    assert target.list_models() == []
    with pytest.raises(VersionNotFoundError):
        target.restore_model("group/m")


def test_what_is_no_manifest_is_refused(target: ModelRegistry, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"{}")
    with pytest.raises(UnsafeModelError):
        target.receive_version(sha256(b"{}").hexdigest(), lambda digest: path)


def test_files_that_arrived_are_moved(target: ModelRegistry, entry: ModelEntry, tmp_path: Path) -> None:
    came = {}
    for digest in entry.blobs:
        came[tmp_path / digest] = digest
        (tmp_path / digest).write_bytes(entry.blob(digest).read_bytes())
    places = {path: path.stat().st_ino for path in came}
    target.receive_version(entry.digest, lambda digest: tmp_path / digest, arrived=came)
    for path, digest in came.items():
        if digest in {file.sha256 for file in entry.files}:
            assert Path("target/blobs/sha256", digest).stat().st_ino == places[path]
            assert not path.exists()
    assert target.validate_registry(deep=True)["findings"] == []


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_a_file_that_arrived_is_moved_and_not_read(target: ModelRegistry, tmp_path: Path, size: int) -> None:
    path = tmp_path / "came.bin"
    path.write_bytes(os.urandom(size))
    inode, digest = path.stat().st_ino, sha256(path.read_bytes()).hexdigest()
    entry = target.register_model("m", Arrival(path, {path: digest}))
    assert [(file.sha256, file.size) for file in entry.files] == [(digest, size)]
    assert Path("target/blobs/sha256", digest).stat().st_ino == inode
    assert not path.exists()
    assert entry.verify_integrity()


def test_a_file_that_arrived_and_is_stored_already_stays_where_it_is(target: ModelRegistry, tmp_path: Path) -> None:
    path = tmp_path / "came.bin"
    path.write_bytes(LARGE)
    first = target.register_model("m", path)
    second = target.register_model("m", Arrival(path, {path: sha256(LARGE).hexdigest()}))
    assert second.files == first.files
    assert path.read_bytes() == LARGE


def test_where_an_arrival_is_registered_is_not_told_as_where_it_was_made(target: ModelRegistry, tmp_path: Path) -> None:
    path = tmp_path / "came.bin"
    path.write_bytes(b"weights")
    with target.acting_as("ada"):
        entry = target.register_model("m", Arrival(path, {path: sha256(b"weights").hexdigest()}))
    assert (entry.provenance, entry.environment) == ({"actor": "ada"}, None)


def test_other_files_of_an_arrival_are_copied_as_ever(target: ModelRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "came"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    (folder / "b").write_bytes(b"b")
    entry = target.register_model("m", Arrival(folder, {folder / "a": sha256(b"a").hexdigest()}), "bytes")
    assert [file.path for file in entry.files] == ["a", "b"]
    assert [path.name for path in folder.iterdir()] == ["b"]


def test_a_version_of_another_model_is_refused(entry: ModelEntry, target: ModelRegistry) -> None:
    with pytest.raises(UnsafeModelError, match=r"^the version is one of 'group/m', not of 'group/n'"):
        target.receive_version(entry.digest, entry.blob, name="group/n")
    assert target.receive_version(entry.digest, entry.blob, name="Group/M").name == "group/m"


def test_bytes_of_other_models_need_not_be_shown_unless_that_is_asked(
    entry: ModelEntry, source: ModelRegistry, target: ModelRegistry, tmp_path: Path
) -> None:
    target.receive_version(entry.digest, entry.blob)
    other = source.register_model("other", LARGE, parts=2)
    file = other.files[0]

    def came(*left_out: str) -> dict[Path, str]:
        paths = {tmp_path / digest: digest for digest in other.blobs if digest not in left_out}
        for path, digest in paths.items():
            path.write_bytes(other.blob(digest).read_bytes())
        return paths

    arrived = came(file.sha256)
    with pytest.raises(UnsafeModelError, match=rf"^sha256:{file.sha256} of other:1.0.0 was not sent"):
        target.receive_version(other.digest, other.blob, records=other.blobs, arrived=arrived, borrow=False)
    target.receive_version(other.digest, other.blob, records=other.blobs, arrived=came(), borrow=False)
    second = source.register_model("other", LARGE, parts=2)  # of a model that has them
    arrived = {tmp_path / digest: digest for digest in second.blobs if digest not in other.blobs}
    target.receive_version(second.digest, second.blob, records=second.blobs, arrived=arrived, borrow=False)


def test_the_next_version_is_told_and_not_taken(registry: ModelRegistry) -> None:
    assert registry.next_version("m") == registry.next_version("m") == "1.0.0"
    registry.register_model("m", b"x", version="2.5")
    assert registry.next_version("m") == "2.5.1"
    assert registry.register_model("m", b"y").version == "2.5.1"
