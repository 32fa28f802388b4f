"""Blobs: placed once, verified in full once, and hashed again as soon as the file is another."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from model_registry import ConfigurationError, StorageError
from model_registry.blobs import local as local_module
from model_registry.blobs import open_blobs
from model_registry.blobs.fingerprints import Fingerprint, Fingerprints
from model_registry.blobs.local import LocalBlobs
from model_registry.digests import sha256_of_bytes, sha256_of_file

DATA = b"some bytes"
SHA256 = sha256_of_bytes(DATA)


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path)


@pytest.fixture
def blob(blobs: LocalBlobs) -> Path:
    """A stored blob that last changed long enough ago."""
    staged = blobs.staging("lease") / "0"
    staged.write_bytes(DATA)
    blobs.place(staged, SHA256)
    settle(blobs.local(SHA256))
    return blobs.local(SHA256)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read in full from here on."""
    files: list[Path] = []
    monkeypatch.setattr(local_module, "sha256_of_file", lambda path: files.append(path) or sha256_of_file(path))
    return files


def settle(path: Path) -> None:
    """Wait until the file's time stamps can be relied on."""
    while not Fingerprint.of(path).is_settled():
        time.sleep(0.005)


def replace(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)
    settle(path)


def test_the_url_chooses_the_store(tmp_path: Path) -> None:
    store = open_blobs("file:elsewhere", tmp_path)
    assert store.local(SHA256) == tmp_path / "elsewhere" / "blobs" / "sha256" / SHA256
    with pytest.raises(ConfigurationError, match=r"^blobs = 's4://x': no blob store serves 's4' — use file:<folder>$"):
        open_blobs("s4://x", tmp_path)


def test_a_new_store_is_an_image_layout_and_opening_it_again_changes_nothing(tmp_path: Path) -> None:
    LocalBlobs(tmp_path).staging("lease")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    LocalBlobs(tmp_path).staging("lease")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert sorted(os.listdir(tmp_path)) == ["blobs", "index.json", "oci-layout", "staging"]


def test_a_placed_file_is_a_blob_that_nobody_may_write(blobs: LocalBlobs, blob: Path) -> None:
    assert blob.read_bytes() == DATA
    assert stat.S_IMODE(blob.stat().st_mode) & 0o222 == 0
    assert list(blobs.digests()) == [SHA256]
    assert blobs.size(SHA256) == len(DATA)
    assert not (blobs.staging("lease") / "0").exists()


def test_foreign_files_among_the_blobs_are_no_blobs(blobs: LocalBlobs, blob: Path) -> None:
    for name in ("README", SHA256.upper(), SHA256 + ".tmp"):
        (blob.parent / name).touch()
    assert list(blobs.digests()) == [SHA256]


def test_a_deleted_blob_is_gone_and_its_bytes_are_told_once(blobs: LocalBlobs, blob: Path) -> None:
    assert blobs.delete(SHA256) == len(DATA)
    assert blobs.delete(SHA256) == 0
    assert (list(blobs.digests()), blobs.size(SHA256), blobs.is_intact(SHA256, len(DATA))) == ([], None, False)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 63, SHA256.upper(), SHA256 + "\n"])
def test_what_is_no_digest_never_becomes_a_path(blobs: LocalBlobs, name: str) -> None:
    for ask in (blobs.local, blobs.size, blobs.delete, lambda sha256: blobs.is_intact(sha256, 1)):
        with pytest.raises(ValueError, match="not a SHA-256"):
            ask(name)


def test_a_store_whose_folders_were_taken_away_is_empty(blobs: LocalBlobs, blob: Path) -> None:
    blob.unlink()
    blob.parent.rmdir()
    assert list(blobs.digests()) == []
    assert blobs.size(SHA256) is None


def test_staging_folders_come_and_go(blobs: LocalBlobs) -> None:
    one, two = "1" * 32, "2" * 32
    (blobs.staging(one) / "file").touch()
    assert blobs.staging(two) == blobs.staging(two)
    assert blobs.staged_leases() == [one, two]
    blobs.discard_staging(one)
    blobs.discard_staging("never there")
    assert blobs.staged_leases() == [two]


def test_a_staging_folder_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "home" / ("a" * 32)
    precious.mkdir(parents=True)
    root = tmp_path / "registry"
    root.mkdir()
    (root / "staging").symlink_to(precious.parent)
    with pytest.raises(StorageError, match="staging is a link"):
        LocalBlobs(root)


def test_what_is_no_lease_in_the_staging_folder_is_left_alone(blobs: LocalBlobs) -> None:
    (blobs.staging("1" * 32).parent / "my notes").mkdir()
    assert blobs.staged_leases() == ["1" * 32]


def test_a_folder_with_the_name_of_a_blob_is_no_blob(blobs: LocalBlobs, blob: Path) -> None:
    (blob.parent / ("0" * 64)).mkdir()
    assert list(blobs.digests()) == [SHA256]


class TestIntegrity:
    def test_is_verified_in_full_once(self, blobs: LocalBlobs, blob: Path, hashed: list[Path]) -> None:
        assert [blobs.is_intact(SHA256, len(DATA)) for _ in range(3)] == [True] * 3
        assert hashed == [blob]

    def test_is_remembered_by_the_next_process(self, blobs: LocalBlobs, blob: Path, hashed: list[Path]) -> None:
        blobs.is_intact(SHA256, len(DATA))
        assert LocalBlobs(blobs.root).is_intact(SHA256, len(DATA))
        assert hashed == [blob]

    def test_is_verified_again_when_asked_to_forget(self, blobs: LocalBlobs, blob: Path, hashed: list[Path]) -> None:
        blobs.is_intact(SHA256, len(DATA))
        blobs.forget(SHA256)
        assert LocalBlobs(blobs.root).is_intact(SHA256, len(DATA))
        assert blobs.is_intact(SHA256, len(DATA))
        assert len(hashed) == 2

    @pytest.mark.parametrize(
        "data", [b"", DATA[:-1], DATA + b"x", DATA[:-1] + b"X"], ids=["empty", "cut", "long", "changed"]
    )
    def test_is_lost_with_other_bytes(self, blobs: LocalBlobs, blob: Path, data: bytes) -> None:
        assert blobs.is_intact(SHA256, len(DATA))
        replace(blob, data)
        assert not blobs.is_intact(SHA256, len(DATA))
        assert not LocalBlobs(blobs.root).is_intact(SHA256, len(DATA))

    def test_is_lost_with_other_bytes_under_the_old_time_stamp(self, blobs: LocalBlobs, blob: Path) -> None:
        assert blobs.is_intact(SHA256, len(DATA))
        before = blob.stat()
        replace(blob, DATA[:-1] + b"X")
        os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert not blobs.is_intact(SHA256, len(DATA))

    def test_comes_back_with_the_bytes(self, blobs: LocalBlobs, blob: Path) -> None:
        replace(blob, b"x")
        assert not blobs.is_intact(SHA256, len(DATA))
        replace(blob, DATA)
        assert blobs.is_intact(SHA256, len(DATA))

    def test_is_not_remembered_of_a_file_that_may_be_changing(
        self, blobs: LocalBlobs, blob: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blob.chmod(0o440)
        moments_later = blob.stat().st_ctime_ns + 10_000_000
        monkeypatch.setattr("time.time_ns", lambda: moments_later)  # however busy the machine is
        assert blobs.is_intact(SHA256, len(DATA))
        assert Fingerprints(blobs.root / "fingerprints.sqlite").get(SHA256) is None

    def test_is_not_remembered_of_a_file_replaced_while_it_was_read(
        self, blobs: LocalBlobs, blob: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def hash_and_change(path: Path) -> str:
            found = sha256_of_file(path)
            replace(path, DATA[:-1] + b"X")
            return found

        monkeypatch.setattr(local_module, "sha256_of_file", hash_and_change)
        blobs.is_intact(SHA256, len(DATA))
        monkeypatch.undo()
        assert not blobs.is_intact(SHA256, len(DATA))

    @pytest.mark.parametrize(
        "put",
        [
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.symlink_to("/etc/passwd"),
            lambda path: path.symlink_to(path),
            lambda path: path.mkdir(),
            os.mkfifo,
        ],
        ids=["link to a device", "link", "link to itself", "folder", "fifo"],
    )
    @pytest.mark.parametrize("size", ["right", "zero", "of the folder"])
    def test_is_of_plain_files_only(
        self, blobs: LocalBlobs, blob: Path, put: Callable[[Path], None], size: str
    ) -> None:
        blob.unlink()
        put(blob)
        expected = {"right": len(DATA), "zero": 0, "of the folder": os.lstat(blob).st_size}[size]
        assert not blobs.is_intact(SHA256, expected)
        assert blobs.size(SHA256) is None

    def test_that_the_disk_does_not_let_us_see_is_an_error_of_ours(
        self, blobs: LocalBlobs, blob: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(path: Path) -> str:
            raise OSError(errno.EIO, "Input/output error", str(path))

        monkeypatch.setattr(local_module, "sha256_of_file", fail)
        with pytest.raises(
            StorageError, match=f"blobs/sha256/{SHA256} cannot be read: Input/output error — check the disk"
        ):
            blobs.is_intact(SHA256, len(DATA))


class TestFingerprints:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "fingerprints.sqlite"

    def test_are_remembered_whatever_their_numbers(self, path: Path) -> None:
        fingerprint = Fingerprint(2**64 - 1, 2**63 + 5, 2**62, 1, -1)
        Fingerprints(path).remember(SHA256, fingerprint)
        assert Fingerprints(path).get(SHA256) == fingerprint
        assert Fingerprints(path).get("0" * 64) is None

    @pytest.mark.parametrize(
        "damage",
        [
            lambda path: path.write_bytes(b""),
            lambda path: path.write_bytes(b"no database" * 1000),
            lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096),
            lambda path: (path.unlink(), path.mkdir()),
            lambda path: (path.unlink(), os.mkfifo(path)),
            lambda path: (path.unlink(), path.symlink_to(path)),
        ],
        ids=["emptied", "overwritten", "torn", "folder", "fifo", "loop"],
    )
    def test_that_are_damaged_cost_only_time(
        self, blobs: LocalBlobs, blob: Path, path: Path, damage: Callable[[Path], object], hashed: list[Path]
    ) -> None:
        blobs.is_intact(SHA256, len(DATA))
        blobs._fingerprints._connection.close()  # type: ignore[union-attr]
        for side in (f"{path}-wal", f"{path}-shm"):
            Path(side).unlink(missing_ok=True)
        damage(path)
        again = LocalBlobs(blobs.root)
        assert [again.is_intact(SHA256, len(DATA)) for _ in range(2)] == [True, True]
        assert not again.is_intact(SHA256, 3)
        again.forget(SHA256)

    @pytest.mark.parametrize(
        "schema",
        [
            "CREATE TABLE verified (x)",
            "CREATE TABLE verified (sha256, device, inode, size, mtime_ns, ctime_ns)",
            "CREATE VIEW verified AS"
            " SELECT NULL AS sha256, 1 AS device, 1 AS inode, 1 AS size, 1 AS mtime_ns, 1 AS ctime_ns",
        ],
    )
    @pytest.mark.parametrize("value", [None, "text", b"\xff", 1.5, "9" * 5000])
    def test_of_somebody_else_cost_only_time(
        self, blobs: LocalBlobs, blob: Path, path: Path, schema: str, value: object
    ) -> None:
        with sqlite3.connect(path) as db:
            db.execute(schema)
            if "sha256, device" in schema and "TABLE" in schema:
                db.execute("INSERT INTO verified VALUES (?, ?, ?, ?, ?, ?)", (bytes.fromhex(SHA256), *[value] * 5))
        db.close()
        assert blobs.is_intact(SHA256, len(DATA))

    def test_that_cannot_be_written_are_kept_in_memory(self, tmp_path: Path) -> None:
        fingerprints = Fingerprints(tmp_path / "missing" / "fingerprints.sqlite")
        fingerprint = Fingerprint(1, 2, 3, 4, 5)
        fingerprints.remember(SHA256, fingerprint)
        assert fingerprints.get(SHA256) == fingerprint
