"""A folder's blobs, plain ones and archived ones: whoever asks for bytes need not know which they are."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from model_registry.archive.cache import Cache, Use
from model_registry.archive.disk import refusals
from model_registry.archive.folder import Packs
from model_registry.archive.pack import has_body
from model_registry.archive.restoring import Decode, Reader, Writer
from model_registry.blobs.fingerprints import Fingerprint, Fingerprints
from model_registry.blobs.local import LocalBlobs
from model_registry.durable import sync_folder
from model_registry.errors import IntegrityError, ModelRegistryError
from model_registry.progress import part


class ArchivedBlobs(LocalBlobs):
    """A blob store in ``root`` that finds in the packs of ``root/archive`` what is not there as a plain file.

    :param decode: Decodes pieces; asked only when something archived is read.
    :param cache_bytes: What restored blobs may take, in ``root/cache``.
    """

    def __init__(self, root: Path, decode: Decode | None, cache_bytes: int) -> None:
        super().__init__(root)
        self.packs = Packs(root / "archive")
        self.cache = Cache(root / "cache", cache_bytes)
        self._decode = decode
        self._bodies = Fingerprints(root / "fingerprints.sqlite")
        self._restoring: dict[str, threading.Lock] = {}
        self._using = threading.Lock()
        self._uses: weakref.WeakKeyDictionary[object, Use | None] = weakref.WeakKeyDictionary()

    def reader(self) -> Reader:
        """Reads blobs of either kind."""
        return Reader(self.packs, self.local, self._decode)

    def fetch(self, sha256: str, size: int, user: object = None) -> Path | None:
        found = super().fetch(sha256, size)
        if found is not None:
            return found
        packed = self.packs.listing().get(sha256)
        if packed is None or packed.size != size:
            return None
        self._use(sha256, user)
        restoring = self._restoring.setdefault(sha256, threading.Lock())
        with restoring, part(size), refusals(f"blob {sha256} cannot be restored from the archive"):
            return self.cache.get(sha256, size) or self.cache.add(sha256, size, self._restore(sha256))

    def _use(self, sha256: str, user: object) -> None:
        """Keep a restored file from giving way while ``user`` lives."""
        if user is None:
            return
        with self._using:
            if user not in self._uses:
                self._uses[user] = self.cache.use()
            use = self._uses[user]
        if use is not None:
            use.add(sha256)

    def _restore(self, sha256: str) -> Callable[[int], None]:
        def restore(descriptor: int) -> None:
            with self.reader() as reader:
                found = reader.restore(sha256, Writer(descriptor))
            if found != sha256:
                reason = f"blob {sha256} came back from the archive with other bytes"
                hint = (
                    "its pack, or a blob that it is told by, was changed; «model-registry validate --deep» says which"
                )
                raise IntegrityError(reason, hint=hint, expected=sha256, found=found)

        return restore

    def is_kept(self, sha256: str, size: int) -> bool:
        return super().is_kept(sha256, size) or self.is_packed(sha256, size)

    def is_packed(self, sha256: str, size: int) -> bool:
        """Whether the bytes can be had from a pack."""
        return self._is_packed(sha256, size, set())

    def _is_packed(self, sha256: str, size: int | None, seen: set[str]) -> bool:
        """Whether a pack holds the blob, that was not changed, and everything is there that the blob is told by."""
        listing = self.packs.listing()
        packed = listing.get(sha256)
        if packed is None or (size is not None and packed.size != size) or sha256 in seen:
            return False
        seen = {*seen, sha256}
        if not self._has_body(listing.holders[sha256].name):
            return False
        for base in packed.bases:
            plain = self.size(base)
            if not (plain is not None and self.is_intact(base, plain)) and not self._is_packed(base, None, seen):
                return False
        return True

    def _has_body(self, name: str) -> bool:
        """Whether a pack is as it was written: read in full once, remembered until the file changes."""
        path = self.packs.path(name)
        try:
            before = Fingerprint.of(path)
            if self._bodies.get(name) == before:
                return True
            if not has_body(path, self.packs.listing().heads[name]):
                return False
            if before.is_settled() and Fingerprint.of(path) == before:
                self._bodies.remember(name, before)
            return True
        except (FileNotFoundError, KeyError, ModelRegistryError):
            return False

    def forget(self, sha256: str) -> None:
        super().forget(sha256)
        listing = self.packs.listing()
        if sha256 in listing.holders:
            self._bodies.forget(listing.holders[sha256].name)

    def archived(self) -> dict[str, int]:
        return {sha256: head.blobs[sha256].size for sha256, head in self.packs.listing().holders.items()}

    def pinned(self) -> set[str]:
        return self.packs.listing().bases()

    def damaged_packs(self) -> dict[str, str]:
        return dict(self.packs.listing().damaged)

    def set_pack_aside(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.rename(self.packs.path(name), self._beside(name))
        sync_folder(self.packs.folder)

    def delete(self, sha256: str) -> int:
        listing = self.packs.listing()
        # A pack that cannot be read may need it.
        return 0 if listing.damaged or listing.is_base(sha256) else super().delete(sha256)

    def drop(self, sha256: str) -> int:
        """Unlink the plain file of a blob that a pack holds."""
        return super().delete(sha256)
