"""One server for a registry: a second one would take the jobs of the first for those of a server that died."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from model_registry import StorageError


def be_the_only_one(path: Path) -> int:
    """Lock a file until it is closed, or the process ends, however that does.

    :returns: Its descriptor.
    :raises StorageError: if another process has locked it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        hint = "stop it, or use that one"
        raise StorageError(f"another server serves this registry ({path})", hint=hint, path=str(path)) from error
    except OSError:
        pass  # a file system without locks
    return descriptor
