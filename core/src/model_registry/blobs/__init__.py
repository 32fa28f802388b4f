"""Blobs: files stored once under their SHA-256, whatever number of versions use them. Chosen by URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from model_registry.errors import ConfigurationError

if TYPE_CHECKING:
    from model_registry.archive.restoring import Decode


class BlobStore(Protocol):
    """Where bytes are kept. Nothing here knows models, and nothing here decides what is garbage."""

    def staging(self, lease: str) -> Path:
        """The folder of a registration under way, made on first use, on the same filesystem as the blobs."""

    def staged_leases(self) -> list[str]:
        """The leases that have a staging folder."""

    def discard_staging(self, lease: str) -> None:
        """Remove a staging folder with all that is in it."""

    def place(self, staged: Path, sha256: str) -> None:
        """Move a synced staged file to its blob. ``sync`` makes it survive a power cut."""

    def sync(self) -> None:
        """Make all blobs placed so far survive a power cut."""

    def local(self, sha256: str) -> Path:
        """The local file that holds the blob's bytes, unverified."""

    def size(self, sha256: str) -> int | None:
        """Bytes of a blob, None if it is not there."""

    def head(self, sha256: str, count: int) -> bytes:
        """The first bytes of a blob, unverified; none if it is not there."""

    def read(self, sha256: str, limit: int) -> bytes | None:
        """The bytes of a small blob, verified; None if it is gone, was changed, or has more than ``limit`` bytes."""

    def is_intact(self, sha256: str, size: int) -> bool:
        """Whether the blob is there with the right bytes: hashed in full once, remembered until the file changes."""

    def fetch(self, sha256: str, size: int, user: object = None) -> Path | None:
        """A local file with the blob's bytes, verified, which may have to be restored first; None if they are gone or
        were changed.

        :param user: What uses the file: as long as it lives, a restored one stays.
        """

    def is_kept(self, sha256: str, size: int) -> bool:
        """Whether the bytes can be had, plain or restored. ``is_intact`` asks for a plain file."""

    def archived(self) -> Mapping[str, int]:
        """The bytes of every blob that can be restored, whether or not it is there as a plain file too."""

    def pinned(self) -> set[str]:
        """Blobs that others are restored by: they stay, whether or not a version needs them."""

    def damaged_packs(self) -> Mapping[str, str]:
        """Packs of the archive that cannot be read, by name, and why. What they hold, and need, is not known."""

    def set_pack_aside(self, name: str) -> None:
        """Move such a pack out of the way, into ``quarantine``."""

    def forget(self, sha256: str) -> None:
        """Drop what is remembered of a blob, so that the next ``is_intact`` reads it in full."""

    def layout_is_whole(self) -> bool:
        """Whether the files that make the folder an image layout are there."""

    def make_layout(self) -> None:
        """Write them again."""

    def is_writable(self, sha256: str) -> bool:
        """Whether somebody made a blob writable, which never changes."""

    def protect(self, sha256: str) -> None:
        """Make a blob read-only again."""

    def spares(self) -> Iterator[Path]:
        """Files beside the blobs that may hold their bytes: staged, or set aside."""

    def set_aside(self, sha256: str) -> None:
        """Move a blob that is damaged out of the way, into ``quarantine``."""

    def put_back(self, sha256: str, spare: Path) -> None:
        """Make a copy of another file, whose bytes are those of the blob, the blob."""

    def digests(self) -> Iterator[str]:
        """All blobs, in no order."""

    def delete(self, sha256: str) -> int:
        """Unlink a blob; returns the bytes freed, 0 if it was gone. Called by the catalog only (see ``collect``)."""


def open_blobs(url: str, folder: Path, decode: Decode | None = None, cache_bytes: int = 0) -> BlobStore:
    """The blob store of a URL such as ``file:.``, relative to the registry's folder.

    :param decode: Decodes what was archived; see :mod:`model_registry.archive.restoring`. None if nobody will ask.
    :param cache_bytes: What restored blobs may take.
    :raises ConfigurationError: for a scheme that nothing serves.
    """
    scheme, _, rest = url.partition(":")
    if scheme != "file":
        raise ConfigurationError(f"blobs = {url!r}: no blob store serves {scheme!r}", hint="use file:<folder>", url=url)
    from model_registry.archive.store import ArchivedBlobs

    return ArchivedBlobs(folder / rest, decode, cache_bytes)
