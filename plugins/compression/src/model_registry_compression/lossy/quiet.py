"""Libraries that set up logging for the whole process, or speak through its root."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_it_logs() -> Iterator[None]:
    """What the process logs, and where to, stays as it is, whatever the block imports or calls."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    if not handlers:
        root.addHandler(logging.NullHandler())  # with none at all, the first message would set one up
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
