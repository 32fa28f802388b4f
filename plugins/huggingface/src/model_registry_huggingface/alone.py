"""One at a time, and without bars.

While transformers makes a model, it changes what torch does in the whole process (default types, whether weights are
initialised), so two threads that load at once get wrong models. Weights are mapped, so nobody waits long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def alone_and_quiet() -> Iterator[None]:
    """No other thread of this process is inside, and transformers shows no progress: the registry tells it."""
    from transformers.utils import logging as transformers_logging

    with _lock:
        were_shown = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            if were_shown:
                transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
