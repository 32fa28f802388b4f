"""What a cache does of itself is told to nobody: a version registered or removed there is none of the server's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_untold: ContextVar[bool] = ContextVar("model_registry_server_untold", default=False)


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or not _untold.get()


_FILTER = _Filter()


@contextmanager
def untold() -> Iterator[None]:
    """Let the registry log only its warnings, as far as the block does it."""
    logging.getLogger("model_registry").addFilter(_FILTER)  # which has each filter once
    token = _untold.set(True)
    try:
        yield
    finally:
        _untold.reset(token)
