"""Blobs in a plain folder, laid out as an OCI image layout: ``blobs/sha256/<hex>`` beside an ``oci-layout`` file."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from model_registry import canonical_json
from model_registry.blobs.fingerprints import Fingerprint, Fingerprints
from model_registry.digests import is_sha256, sha256_of_bytes, sha256_of_file
from model_registry.durable import copy, make_folder, new_file, publish, sync_folder
from model_registry.errors import StorageError
from model_registry.plain_files import open_plain
from model_registry.progress import part

OCI_LAYOUT = {"imageLayoutVersion": "1.0.0"}
# An image layout must have an index. The catalog says which versions exist, so this one stays empty.
EMPTY_INDEX = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}


#: What we call things in the staging folder: leases, and what is published.
_STAGED = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")


class LocalBlobs:
    """A blob store in ``root``. Several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._staging = root / "staging"
        self._quarantine = root / "quarantine"
        self._fingerprints = Fingerprints(root / "fingerprints.sqlite")
        for folder in (self._blobs.parent, self._blobs, self._staging):
            if folder.is_symlink():  # what is collected there would be another's
                raise StorageError(f"{folder} is a link", hint="put the folder itself there", path=str(folder))

    def _create(self) -> None:
        make_folder(self._blobs)
        make_folder(self._staging)
        self._publish("index.json", EMPTY_INDEX)
        self._publish("oci-layout", OCI_LAYOUT)  # last: whoever sees it takes the store for complete

    def _publish(self, name: str, document: Mapping[str, object]) -> None:
        """Write a file of the layout by way of the staging folder, where a collection finds what a crash leaves."""
        while not os.path.lexists(self.root / name):
            make_folder(self._staging)
            with suppress(FileNotFoundError):  # a collection took ours for a leftover: once more
                publish(self.root / name, canonical_json.dump(document), self._staging / os.urandom(8).hex())

    def staging(self, lease: str) -> Path:
        if not (self.root / "oci-layout").exists():
            self._create()
        folder = self._staging / lease
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def staged_leases(self) -> list[str]:
        if self._staging.is_symlink():  # somebody wants another folder emptied
            return []
        with suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self._staging) if _STAGED.fullmatch(name))
        return []

    def discard_staging(self, lease: str) -> None:
        staged = self._staging / lease
        try:
            staged.rmdir()  # when all that was staged became blobs
        except FileNotFoundError:
            pass
        except NotADirectoryError:
            staged.unlink(missing_ok=True)
        except OSError:
            shutil.rmtree(staged, ignore_errors=True)

    def place(self, staged: Path, sha256: str) -> None:
        # Read-only for everybody who could read it: a blob never changes.
        os.chmod(staged, staged.stat().st_mode & 0o444)
        os.rename(staged, self._path(sha256))

    def sync(self) -> None:
        sync_folder(self._blobs)

    def local(self, sha256: str) -> Path:
        return self._path(sha256)

    def size(self, sha256: str) -> int | None:
        try:
            return Fingerprint.of(self._path(sha256)).size
        except FileNotFoundError:
            return None

    def head(self, sha256: str, count: int) -> bytes:
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(self._path(sha256), flags)
        except OSError:
            return b""
        try:
            return os.read(descriptor, count)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def read(self, sha256: str, limit: int) -> bytes | None:
        path = self._path(sha256)
        try:
            if Fingerprint.of(path).size > limit:
                return None
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        return data if sha256_of_bytes(data) == sha256 else None

    def is_intact(self, sha256: str, size: int) -> bool:
        path = self._path(sha256)
        try:
            before = Fingerprint.of(path)
            if before.size != size:
                return False
            with part(size):
                if self._fingerprints.get(sha256) == before:
                    return True
                if sha256_of_file(path) != sha256:
                    return False
            if before.is_settled() and Fingerprint.of(path) == before:
                self._fingerprints.remember(sha256, before)
            return True
        except FileNotFoundError:
            return False
        except OSError as error:
            reason = f"blob {path} cannot be read: {error.strerror}"
            raise StorageError(reason, hint="check the disk, and who may read the folder", path=str(path)) from error

    def fetch(self, sha256: str, size: int, user: object = None) -> Path | None:
        return self._path(sha256) if self.is_intact(sha256, size) else None

    def is_kept(self, sha256: str, size: int) -> bool:
        return self.is_intact(sha256, size)

    def archived(self) -> Mapping[str, int]:
        return {}

    def pinned(self) -> set[str]:
        return set()

    def damaged_packs(self) -> Mapping[str, str]:
        return {}

    def set_pack_aside(self, name: str) -> None:
        raise FileNotFoundError(name)

    def forget(self, sha256: str) -> None:
        self._fingerprints.forget(sha256)

    def layout_is_whole(self) -> bool:
        return all((self.root / name).is_file() for name in ("oci-layout", "index.json"))

    def make_layout(self) -> None:
        self._create()

    def is_writable(self, sha256: str) -> bool:
        with suppress(FileNotFoundError):
            mode = os.lstat(self._path(sha256)).st_mode
            return S_ISREG(mode) and bool(mode & 0o222)
        return False

    def protect(self, sha256: str) -> None:
        with open_plain(self._path(sha256)) as descriptor:  # never what a link in its place points to
            os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o444)

    def spares(self) -> Iterator[Path]:
        for folder in (self._quarantine, self._staging):
            if not folder.is_symlink():
                for root, _, names in os.walk(folder):
                    yield from (Path(root, name) for name in sorted(names))

    def set_aside(self, sha256: str) -> None:
        with suppress(FileNotFoundError):
            os.rename(self._path(sha256), self._beside(sha256))
        sync_folder(self._quarantine)
        self.sync()

    def put_back(self, sha256: str, spare: Path) -> None:
        staged = self.staging(os.urandom(8).hex()) / sha256
        try:
            with open_plain(spare) as source, new_file(staged) as target:
                copy(source, target)
                os.fsync(target)
            if sha256_of_file(staged) != sha256:
                raise StorageError(f"{spare} changed while it was read", hint="try again", path=str(spare))
            with suppress(FileNotFoundError):  # what is damaged is kept; nobody sees a moment without the blob
                os.link(self._path(sha256), self._beside(sha256), follow_symlinks=False)
                sync_folder(self._quarantine)
            self.place(staged, sha256)
            self.sync()
        finally:
            self.discard_staging(staged.parent.name)

    def _beside(self, sha256: str) -> Path:
        """A new name for a damaged blob."""
        if self._quarantine.is_symlink():
            reason = f"{self._quarantine} is a link"
            raise StorageError(reason, hint="put the folder itself there", path=str(self._quarantine))
        make_folder(self._quarantine)
        return self._quarantine / f"{sha256}-{os.urandom(4).hex()}"

    def digests(self) -> Iterator[str]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self._blobs) as entries:
            # What else has such a name is nobody's blob: neither handed out nor deleted.
            for entry in entries:
                if is_sha256(entry.name) and not entry.is_dir(follow_symlinks=False):
                    yield entry.name

    def delete(self, sha256: str) -> int:
        path = os.fspath(self._path(sha256))  # once: a string is what both calls want
        with suppress(FileNotFoundError):
            size = os.stat(path).st_size
            os.unlink(path)
            return size
        return 0

    def _path(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise ValueError(f"not a SHA-256: {sha256!r}")
        return self._blobs / sha256
