"""Which blobs have their bytes. Each is read once at most, however many versions and checks ask."""

from __future__ import annotations

from collections.abc import Iterable

from model_registry import workers
from model_registry.blobs import BlobStore
from model_registry.progress import part


class Audit:
    """One look through the blobs of a registry.

    :param deep: Read them, whatever is remembered of them.
    """

    def __init__(self, blobs: BlobStore, *, deep: bool) -> None:
        self._blobs = blobs
        self.deep = deep
        self._found: dict[tuple[str, int], bool] = {}

    def look(self, blobs: Iterable[tuple[str, int]]) -> None:
        """Look at blobs of so many bytes that nobody asked for yet, several at once."""
        todo = [blob for blob in dict.fromkeys(blobs) if blob not in self._found]
        self._found.update(zip(todo, workers.run_all(self._is_intact, todo), strict=True))

    def is_intact(self, sha256: str, size: int) -> bool:
        """Whether the blob had its bytes when it was looked at."""
        self.look([(sha256, size)])
        return self._found[sha256, size]

    def _is_intact(self, blob: tuple[str, int]) -> bool:
        sha256, size = blob
        if self.deep:
            self._blobs.forget(sha256)
        with part(size):
            return self._blobs.is_kept(sha256, size)
