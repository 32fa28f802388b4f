"""A SHA-256 that goes on as bytes arrive, and knows how many it has seen."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from model_registry import StorageError
from model_registry_server.transfer.content import Buffer

_CHUNK = 1 << 20


class RunningHash:
    """Of the first ``size`` bytes of something."""

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    def update(self, data: Buffer) -> None:
        self._sha256.update(data)
        self.size += len(data)

    def copy(self) -> RunningHash:
        """One that goes on alone from here."""
        other = RunningHash()
        other.size, other._sha256 = self.size, self._sha256.copy()
        return other

    def hexdigest(self) -> str:
        """The digest of what was seen so far."""
        return self._sha256.hexdigest()


def hash_of_file(path: Path, size: int) -> RunningHash:
    """The hash of a file's first bytes: of ``size``, or of all if there are fewer.

    :raises StorageError: The file cannot be read.
    """
    running = RunningHash()
    if not size:
        return running
    buffer = memoryview(bytearray(_CHUNK))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while count := os.readv(descriptor, [buffer[: size - running.size]]):
                running.update(buffer[:count])
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", path=str(path)) from error
    return running
