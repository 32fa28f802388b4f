"""How a server ends at last, whatever its threads are doing."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

logger = logging.getLogger("model_registry.server")

#: Seconds to say why; the log may be what hangs.
_LAST_WORDS = 0.2


def end_process_in(seconds: float, code: int) -> None:
    """End this process after so many seconds, if it has not ended by itself before.

    A thread cannot be ended, and Python waits for all of them: for one that reads gigabytes to verify them, or that
    waits for a disk or another process. Nothing can be lost: the registry, and what the server remembers, are such that
    a process may be killed at any moment.

    :param code: The exit code.
    """
    _later(seconds, logger.warning, "some work did not end in time, and is cut off; the audit log tells of changes")
    _later(seconds + _LAST_WORDS, os._exit, code)


def _later(seconds: float, act: Callable[..., object], argument: object) -> None:
    timer = threading.Timer(seconds, act, (argument,))
    timer.daemon = True
    timer.start()
