"""The conformance class of blob stores."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_registry.blobs import BlobStore
from model_registry.digests import sha256_of_bytes
from model_registry.durable import write_new

DATA = b"the bytes of a blob, of which some will be changed"
SHA256 = sha256_of_bytes(DATA)
LEASE, OTHER_LEASE = "1" * 32, "2" * 32
NO_DIGESTS = ("../../etc/passwd", "", "a" * 63, SHA256.upper(), f"{SHA256}\n")
THREADS = 8
#: Seconds after which the time stamps of a file show its next change.
SETTLING = 0.06

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit flipped": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "cut short": lambda data: data[:-1],
    "grown": lambda data: data + b"x",
    "emptied": lambda data: b"",
}
each_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))


def put(store: BlobStore, data: bytes, lease: str = LEASE) -> str:
    """Store bytes as a registration does; their digest."""
    sha256 = sha256_of_bytes(data)
    staged = store.staging(lease) / os.urandom(8).hex()
    write_new(staged, [data])
    store.place(staged, sha256)
    store.sync()
    return sha256


class BlobStoreConformance:
    """What a blob store must do: the laws of :class:`model_registry.blobs.BlobStore`.

    Subclass it as ``Test…`` and give ``make_store``. A store that keeps its bytes elsewhere than in ``local`` also
    says how somebody else would change them there.
    """

    def make_store(self, folder: Path) -> BlobStore:
        """An instance of the store; of the same one for the same folder."""
        raise NotImplementedError

    def overwrite(self, store: BlobStore, sha256: str, data: bytes) -> None:
        """Change a blob's bytes behind the store's back."""
        path = store.local(sha256)
        path.chmod(0o644)
        path.write_bytes(data)

    def replace_by_link(self, store: BlobStore, sha256: str, target: Path) -> None:
        """Put a link in the place of a blob's file behind the store's back."""
        store.local(sha256).unlink()
        store.local(sha256).symlink_to(target)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The folder of the store under test."""
        return tmp_path / "store"

    @pytest.fixture
    def store(self, folder: Path) -> BlobStore:
        """An empty store."""
        return self.make_store(folder)

    @pytest.fixture
    def blob(self, store: BlobStore) -> str:
        """The digest of a blob, ``DATA``, that was stored a while ago."""
        put(store, DATA)
        time.sleep(SETTLING)
        return SHA256

    # Placing

    def test_a_new_store_holds_nothing(self, store: BlobStore) -> None:
        assert list(store.digests()) == []
        assert store.staged_leases() == []
        assert (store.size(SHA256), store.read(SHA256, 1000)) == (None, None)
        assert not store.is_intact(SHA256, len(DATA))
        assert store.delete(SHA256) == 0
        store.forget(SHA256)

    @pytest.mark.parametrize("data", [b"", b"x", DATA, bytes(range(256)) * 5000], ids=len)
    def test_what_is_placed_is_there(self, store: BlobStore, data: bytes) -> None:
        sha256 = put(store, data)
        assert store.size(sha256) == len(data)
        assert store.read(sha256, len(data)) == data
        assert store.local(sha256).read_bytes() == data
        assert store.is_intact(sha256, len(data))
        assert list(store.digests()) == [sha256]

    def test_what_is_placed_leaves_the_stage(self, store: BlobStore, blob: str) -> None:
        assert list(store.staging(LEASE).iterdir()) == []

    def test_the_same_bytes_are_one_blob(self, store: BlobStore, blob: str) -> None:
        put(store, DATA, OTHER_LEASE)
        assert list(store.digests()) == [blob]
        assert store.is_intact(blob, len(DATA))

    def test_nobody_may_write_a_blob(self, store: BlobStore, blob: str) -> None:
        assert store.local(blob).stat().st_mode & 0o222 == 0

    def test_a_blob_of_another_size_is_not_the_one_that_is_asked_for(self, store: BlobStore, blob: str) -> None:
        assert not store.is_intact(blob, len(DATA) + 1)
        assert not store.is_intact(blob, 0)

    def test_no_more_is_read_than_is_allowed(self, store: BlobStore, blob: str) -> None:
        assert store.read(blob, len(DATA) - 1) is None
        assert store.read(blob, len(DATA)) == DATA

    @pytest.mark.parametrize("name", NO_DIGESTS)
    def test_what_is_no_digest_is_refused(self, store: BlobStore, name: str) -> None:
        for ask in (
            store.local,
            store.size,
            store.delete,
            lambda sha256: store.read(sha256, 1),
            lambda sha256: store.is_intact(sha256, 1),
        ):
            with pytest.raises(ValueError):  # noqa: PT011  # of any text
                ask(name)

    # Damage

    @each_damage
    def test_damage_is_noticed(self, store: BlobStore, blob: str, damage: Callable[[bytes], bytes]) -> None:
        self.overwrite(store, blob, damage(DATA))
        assert not store.is_intact(blob, len(DATA))
        assert store.read(blob, 1000) is None

    @each_damage
    def test_damage_after_verifying_is_noticed(
        self, store: BlobStore, folder: Path, blob: str, damage: Callable[[bytes], bytes]
    ) -> None:
        """Also by an instance that has not seen the blob before, and where the time of the last change is forged."""
        assert store.is_intact(blob, len(DATA))
        before = store.local(blob).stat()
        self.overwrite(store, blob, damage(DATA))
        os.utime(store.local(blob), ns=(before.st_atime_ns, before.st_mtime_ns))
        assert not store.is_intact(blob, len(DATA))
        assert not self.make_store(folder).is_intact(blob, len(DATA))

    def test_a_link_is_no_blob(self, store: BlobStore, blob: str, tmp_path: Path) -> None:
        """Even if it leads to the right bytes: they are not the store's, and may change."""
        (tmp_path / "elsewhere").write_bytes(DATA)
        assert store.is_intact(blob, len(DATA))
        self.replace_by_link(store, blob, tmp_path / "elsewhere")
        assert not store.is_intact(blob, len(DATA))
        assert store.size(blob) is None

    @each_damage
    def test_placing_the_bytes_again_repairs(
        self, store: BlobStore, folder: Path, blob: str, damage: Callable[[bytes], bytes]
    ) -> None:
        assert store.is_intact(blob, len(DATA))
        self.overwrite(store, blob, damage(DATA))
        put(store, DATA)
        for instance in (store, self.make_store(folder)):
            assert instance.is_intact(blob, len(DATA))
            assert instance.read(blob, 1000) == DATA

    def test_forgetting_loses_nothing_but_the_memory(self, store: BlobStore, blob: str) -> None:
        assert store.is_intact(blob, len(DATA))
        store.forget(blob)
        assert store.is_intact(blob, len(DATA))
        store.forget(blob)
        self.overwrite(store, blob, DATA[::-1])
        assert not store.is_intact(blob, len(DATA))

    # Deleting

    def test_a_deleted_blob_is_gone_and_its_bytes_are_told_once(self, store: BlobStore, blob: str) -> None:
        other = put(store, b"another")
        assert store.is_intact(blob, len(DATA))
        assert (store.delete(blob), store.delete(blob)) == (len(DATA), 0)
        assert (store.size(blob), store.read(blob, 1000), store.is_intact(blob, len(DATA))) == (None, None, False)
        assert list(store.digests()) == [other]
        assert store.is_intact(other, len(b"another"))

    def test_a_deleted_blob_can_be_placed_again(self, store: BlobStore, blob: str) -> None:
        store.delete(blob)
        put(store, DATA)
        assert store.is_intact(blob, len(DATA))

    # Staging

    def test_each_registration_has_a_folder_of_its_own(self, store: BlobStore) -> None:
        (store.staging(LEASE) / "file").write_bytes(b"1")
        assert store.staging(LEASE) == store.staging(LEASE) != store.staging(OTHER_LEASE)
        assert list(store.staging(OTHER_LEASE).iterdir()) == []
        assert (store.staging(LEASE) / "file").read_bytes() == b"1"
        assert sorted(store.staged_leases()) == [LEASE, OTHER_LEASE]
        assert list(store.digests()) == [], "what is staged is no blob yet"

    def test_a_discarded_stage_is_gone_and_the_others_stay(self, store: BlobStore, blob: str) -> None:
        (store.staging(LEASE) / "folder").mkdir()
        (store.staging(LEASE) / "folder" / "file").write_bytes(b"1")
        (store.staging(OTHER_LEASE) / "file").write_bytes(b"2")
        store.discard_staging(LEASE)
        store.discard_staging(LEASE)
        assert store.staged_leases() == [OTHER_LEASE]
        assert (store.staging(OTHER_LEASE) / "file").read_bytes() == b"2"
        assert store.is_intact(blob, len(DATA))

    # Many at once

    def test_another_instance_has_the_same_blobs(self, store: BlobStore, folder: Path, blob: str) -> None:
        other = self.make_store(folder)
        new = put(other, b"another", OTHER_LEASE)
        for instance in (store, other):
            assert sorted(instance.digests()) == sorted([blob, new])
            assert instance.is_intact(blob, len(DATA))
            assert instance.is_intact(new, len(b"another"))
        other.delete(blob)
        assert not store.is_intact(blob, len(DATA))
        assert list(store.digests()) == [new]

    def test_threads_store_the_same_and_other_bytes_at_once(self, store: BlobStore) -> None:
        together = threading.Barrier(THREADS)

        def work(number: int) -> list[str]:
            together.wait()
            lease = f"{number:032x}"
            return [put(store, data, lease) for data in (DATA, b"%d" % number, DATA[::-1])]

        with ThreadPoolExecutor(THREADS) as pool:
            stored = list(pool.map(work, range(THREADS)))
        assert sorted(store.digests()) == sorted({sha256 for digests in stored for sha256 in digests})
        for sha256 in store.digests():
            size = store.size(sha256)
            assert size is not None
            assert store.is_intact(sha256, size)

    def test_a_reader_sees_all_of_a_blob_or_nothing(self, store: BlobStore) -> None:
        """While others place and delete it."""
        data = os.urandom(1 << 16)
        sha256 = put(store, data)
        done = threading.Event()

        def change() -> None:
            for number in range(50):
                put(store, data, f"{number:032x}")
                store.delete(sha256)
            done.set()

        def look() -> set[bytes | None]:
            seen = set()
            while not done.is_set():
                seen.add(store.read(sha256, len(data)))
                store.is_intact(sha256, len(data))
            return seen

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(look) for _ in range(2)]
            pool.submit(change).result()
            seen = {found for reader in readers for found in reader.result()}
        assert seen <= {None, data}
        put(store, data)
        assert store.is_intact(sha256, len(data))
