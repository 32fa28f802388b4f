"""The stage: members are hashed and written, and none that is stored already is written again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_registry import InvalidNameError, StorageError, UnsafeModelError
from model_registry.blobs.local import LocalBlobs
from model_registry.digests import sha256_of_bytes
from model_registry.plain_files import files_below
from model_registry.staged import place
from model_registry.staging import ParallelStage


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "store")


@pytest.fixture
def stage(blobs: LocalBlobs) -> ParallelStage:
    return ParallelStage(blobs, "lease")


@pytest.mark.parametrize(
    "source",
    [
        b"abc", bytearray(b"abc"), memoryview(b"_abc_")[1:4], [b"a", bytearray(b"bc")], (b"abc", b""),
        lambda: [b"ab", memoryview(b"c")],
    ],
    ids=["bytes", "bytearray", "memoryview", "list", "tuple", "callable"],
)  # fmt: skip
def test_bytes_may_be_given_in_every_way(stage: ParallelStage, blobs: LocalBlobs, source: Any) -> None:
    stage.add("a/x.bin", source, kind="doc")
    (staged,) = stage.finish()
    assert (staged.record.path, staged.record.size, staged.record.sha256) == ("a/x.bin", 3, sha256_of_bytes(b"abc"))
    assert staged.record.media_type == "application/vnd.cncf.model.doc.v1.raw"
    place(blobs, [staged])
    assert blobs.local(staged.record.sha256).read_bytes() == b"abc"


def test_files_are_copied_and_their_own_are_left_alone(stage: ParallelStage, blobs: LocalBlobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"abc" * 700_000)  # more than one chunk
    stage.add("x", source)
    place(blobs, stage.finish())
    (sha256,) = blobs.digests()
    assert blobs.local(sha256).read_bytes() == source.read_bytes()
    assert source.stat().st_mode & 0o200


def test_members_come_sorted_with_those_of_the_directory(stage: ParallelStage) -> None:
    stage.add("c", b"1")
    folder = stage.directory()
    (folder / "a").mkdir()
    (folder / "a" / "b").write_bytes(b"2")
    assert stage.directory() == folder
    assert [file.record.path for file in stage.finish()] == ["a/b", "c"]


def test_what_is_stored_is_not_written_again_unless_it_vanishes(stage: ParallelStage, blobs: LocalBlobs) -> None:
    stage.add("x", b"abc")
    place(blobs, stage.finish())
    again = ParallelStage(blobs, "other")
    again.add("y", lambda: [b"abc"])
    (staged,) = again.finish()
    assert staged.written is None
    blobs.delete(staged.record.sha256)  # collected before it was claimed
    place(blobs, [staged])
    assert blobs.local(staged.record.sha256).read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        (["a", "a"], "given twice"),
        (["a", "A"], "where case does not count"),
        (["a", "a/b"], "to be a folder, which is a file"),
        (["../a"], "would leave its folder"),
    ],
)
def test_paths_that_clash_are_refused(stage: ParallelStage, paths: list[str], problem: str) -> None:
    def add_all() -> None:
        for path in paths:
            stage.add(path, b"x")
        stage.finish()

    with pytest.raises(InvalidNameError, match=problem):
        add_all()
    stage.abandon()


def test_a_path_in_both_is_refused(stage: ParallelStage) -> None:
    stage.add("a", b"1")
    (stage.directory() / "a").write_bytes(b"2")
    with pytest.raises(InvalidNameError, match="given twice"):
        stage.finish()
    stage.abandon()


def test_a_failing_source_fails_the_registration(stage: ParallelStage) -> None:
    stage.add("a", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        stage.finish()


def test_files_below_a_folder_are_told_sorted(tmp_path: Path) -> None:
    for path in ("b/c", "a", "b/a/x"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert sorted(path for path, _ in files_below(tmp_path)) == ["a", "b/a/x", "b/c"]
    (tmp_path / "b" / "link").symlink_to(tmp_path / "a")
    with pytest.raises(UnsafeModelError, match="link is no plain file"):
        list(files_below(tmp_path))


def test_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        list(files_below(tmp_path / "file"))


class TestFilesThatMayBeStored:
    SIZE = (1 << 20) + 5

    @pytest.fixture
    def stored(self, stage: ParallelStage, blobs: LocalBlobs, tmp_path: Path) -> Path:
        source = tmp_path / "source"
        source.write_bytes(b"abcde" * (self.SIZE // 5))
        stage.add("x", source)
        place(blobs, stage.finish())
        return source

    @pytest.fixture
    def again(self, blobs: LocalBlobs) -> ParallelStage:
        return ParallelStage(blobs, "other", alike=lambda size: list(blobs.digests()))

    def test_one_that_is_stored_is_not_copied(self, stored: Path, again: ParallelStage, blobs: LocalBlobs) -> None:
        again.add("y", stored)
        (staged,) = again.finish()
        assert (staged.record.path, staged.record.sha256, staged.written) == ("y", *blobs.digests(), None)
        blobs.delete(staged.record.sha256)  # collected before it was claimed
        place(blobs, [staged])
        assert blobs.local(staged.record.sha256).read_bytes() == stored.read_bytes()

    def test_one_that_changes_before_it_is_copied_after_all_is_refused(
        self, stored: Path, again: ParallelStage, blobs: LocalBlobs
    ) -> None:
        again.add("y", stored)
        (staged,) = again.finish()
        blobs.delete(staged.record.sha256)
        stored.write_bytes(b"z" * self.SIZE)
        with pytest.raises(StorageError, match="member 'y' changed while it was registered"):
            place(blobs, [staged])
        assert list(blobs.digests()) == []

    @pytest.mark.parametrize("changed", [0, 700_000, 1 << 20])
    def test_another_of_the_same_size_is_copied(
        self, changed: int, stored: Path, again: ParallelStage, blobs: LocalBlobs
    ) -> None:
        data = bytearray(stored.read_bytes())
        data[changed] ^= 1
        stored.write_bytes(data)
        again.add("y", stored)
        (staged,) = again.finish()
        assert staged.record.sha256 == sha256_of_bytes(data)
        place(blobs, [staged])
        assert len(list(blobs.digests())) == 2

    def test_one_whose_blob_was_damaged_is_copied(self, stored: Path, again: ParallelStage, blobs: LocalBlobs) -> None:
        (sha256,) = blobs.digests()
        blobs.local(sha256).chmod(0o644)
        with blobs.local(sha256).open("r+b") as file:
            file.seek(700_000)
            file.write(b"?")
        again.add("y", stored)
        (staged,) = again.finish()
        place(blobs, [staged])
        assert sha256_of_bytes(blobs.local(sha256).read_bytes()) == sha256


def test_members_with_the_same_bytes_become_one_blob(stage: ParallelStage, blobs: LocalBlobs) -> None:
    for path in "ab":
        stage.add(path, b"abc")
    staged = stage.finish()
    place(blobs, staged)
    place(blobs, staged)  # as when a commit is tried again: nothing that is placed is touched
    assert list(blobs.digests()) == [sha256_of_bytes(b"abc")]
