"""How much may come: the largest upload, and what all files of the registry may take together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from model_registry import ModelRegistry
from model_registry_server.options import MEGABYTE, ServerOptions
from model_registry_server.transfer.errors import TooLargeError
from model_registry_server.transfer.uploads import Uploads


class Quota:
    """Bytes that may come, less those that are on their way. Its methods wait for the disk: call them from a thread."""

    def __init__(self, options: ServerOptions, registry: ModelRegistry, uploads: Uploads) -> None:
        self._largest = int(options.max_upload_mb * MEGABYTE) or None
        self._all = int(options.quota_mb * MEGABYTE) or None
        self._registry = registry
        self._uploads = uploads
        self._coming = 0
        self._lock = threading.Lock()

    def room(self, announced: int = 0, slack: int = 0) -> int | None:
        """Bytes that may come; None for any number.

        :param announced: Bytes that the client says will.
        :param slack: Bytes of the body that are no file's.
        :raises TooLargeError: if that is more.
        """
        most = [] if self._largest is None else [self._largest]
        if self._all is not None:
            used = self._registry.get_detailed_stats()["stored_bytes"] + self._uploads.bytes_of()
            most.append(max(self._all - used - self._coming, 0))
        if not most:
            return None
        if announced > min(most) + slack:
            hint = "max_upload_mb and quota_mb of [plugins.server] say how much may"
            message = f"{announced:,} bytes are more than may come ({min(most):,})"
            raise TooLargeError(message, hint=hint, limit=min(most))
        return min(most) + slack

    @contextmanager
    def reserved(self, announced: int, slack: int) -> Iterator[int | None]:
        """The same for what comes during the block, which nobody else may use. What is not announced may be all."""
        with self._lock:
            most = self.room(announced, slack)
            coming = 0 if most is None or self._all is None else announced or most
            self._coming += coming
        try:
            yield most
        finally:
            with self._lock:
                self._coming -= coming
