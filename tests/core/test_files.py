"""The files of a version, as plugins see them: verified before they are handed out."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_registry import IntegrityError, ModelRegistry, UnsafeModelError
from model_registry.files import StoredFiles


@pytest.fixture
def stored(registry: ModelRegistry) -> StoredFiles:
    entry = registry.register_model("m", b"abcdef", parts=3)
    return StoredFiles(entry.reference, entry.files, registry._context.blobs)


def damage(files: StoredFiles, path: str) -> None:
    blob = files._blobs.local(files._records[path].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"XX")


def test_members_are_listed_measured_and_read(stored: StoredFiles) -> None:
    assert list(stored) == ["part-0.bin", "part-1.bin", "part-2.bin"]
    assert ("part-1.bin" in stored, "other" in stored) == (True, False)
    assert (stored.size("part-1.bin"), stored.read("part-1.bin")) == (2, b"be")
    with pytest.raises(KeyError):
        stored.local("other")


def test_more_than_the_limit_is_not_read(stored: StoredFiles) -> None:
    with pytest.raises(
        UnsafeModelError, match=r"^part-0.bin has 2 bytes where at most 1 make sense — it was not read$"
    ):
        stored.read("part-0.bin", limit=1)


def test_only_what_is_used_is_verified(stored: StoredFiles) -> None:
    damage(stored, "part-2.bin")
    assert stored.read("part-0.bin") == b"ad"
    for use in (
        lambda: stored.read("part-2.bin"),
        stored.verify,
        stored.directory,
        lambda: stored.verify(["part-2.bin"]),
    ):
        with pytest.raises(IntegrityError, match=r"^m:1\.0\.0: file 'part-2\.bin' was changed on disk"):
            use()
    stored.verify(["part-0.bin", "part-1.bin"])


def test_a_folder_of_links_lives_as_long_as_the_files(stored: StoredFiles) -> None:
    folder = stored.directory()
    assert stored.directory() is folder
    assert sorted(path.name for path in folder.iterdir()) == list(stored)
    assert (folder / "part-0.bin").read_bytes() == b"ad"
    before = [path.read_bytes() for path in Path("models/blobs/sha256").iterdir()]
    del stored
    assert folder is not None
    assert before == [path.read_bytes() for path in Path("models/blobs/sha256").iterdir()]
