"""When versions were last loaded: the times of empty files, one for each version. Only a memory, and never synced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from model_registry.clock import now

#: Microseconds after which a use is noted again.
_AGAIN = 3600 * 1_000_000


class Uses:
    """The memory in a folder. Where that cannot be written, nothing is remembered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, digest: str) -> None:
        """A version is being used."""
        if now() - self.last(digest, 0) > _AGAIN:
            path = self._folder / digest
            with suppress(OSError):
                self._folder.mkdir(exist_ok=True)
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666))
                os.utime(path, follow_symlinks=False)

    def last(self, digest: str, otherwise: int) -> int:
        """When it was last used, in microseconds since 1970; ``otherwise`` if nobody remembers."""
        with suppress(OSError):
            return max(otherwise, os.lstat(self._folder / digest).st_mtime_ns // 1000)
        return otherwise
