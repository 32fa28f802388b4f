"""Files that are staged, and how they become blobs: synced together, and only then under their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from model_registry import workers
from model_registry.blobs import BlobStore
from model_registry.durable import sync_files
from model_registry.progress import aside
from model_registry.records import FileRecord

#: Bytes up to which a file is handled at once and synced with others: handing it to a thread would take longer.
SMALL = 1 << 20


@frozen
class StagedFile:
    """A member with its digest, and where its bytes are.

    :param written: The staged file, or None if the blob store held the bytes already.
    :param write: Writes the bytes again and returns the file: the stored ones may be collected before they are claimed.
    """

    record: FileRecord
    written: Path | None
    write: Callable[[], Path]

    @property
    def blob(self) -> tuple[str, int, str]:
        """(sha256, size, path), as the catalog notes what a version needs."""
        return self.record.sha256, self.record.size, self.record.path

    @property
    def is_small(self) -> bool:
        """Whether it was left to :func:`place` to sync it."""
        return self.record.size <= SMALL


def place(blobs: BlobStore, staged: Sequence[StagedFile]) -> None:
    """Make every file a blob, after its digest was claimed: from here on, what is stored stays stored."""
    # Once for each digest: of members with the same bytes, one becomes the blob.
    missing = {file.record.sha256: file for file in _missing(blobs, staged)}
    files = {sha256: (file.written or file.write(), file.is_small) for sha256, file in missing.items()}
    sync_files([path for path, is_small in files.values() if is_small])
    for sha256, (path, _) in files.items():
        blobs.place(path, sha256)
    blobs.sync()


def _missing(blobs: BlobStore, staged: Sequence[StagedFile]) -> list[StagedFile]:
    def is_there(file: StagedFile) -> bool:
        if file.written is None:
            with aside():  # it was intact a moment ago, and counted
                return blobs.is_intact(file.record.sha256, file.record.size)
        # What was written is mostly new: only if a blob has its name is that worth reading.
        return blobs.size(file.record.sha256) is not None and blobs.is_intact(file.record.sha256, file.record.size)

    small = [file for file in staged if file.is_small]
    large = [file for file in staged if not file.is_small]
    found = [*map(is_there, small), *workers.run_all(is_there, large)]
    return [file for file, is_present in zip([*small, *large], found, strict=True) if not is_present]
