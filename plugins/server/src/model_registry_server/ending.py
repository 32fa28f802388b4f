"""How a server ends at last, whatever its threads are doing."""

from __future__ import annotations

import logging
import os
import threading
from functools import partial

logger = logging.getLogger("model_registry.server")


def end_process_in(seconds: float, code: int) -> None:
    """End this process after so many seconds, if it has not ended by itself before.

    A thread cannot be ended, and Python waits for all of them: for one that reads gigabytes to verify them, or that
    waits for a disk or another process. Nothing can be lost: the registry, and what the server remembers, are such that
    a process may be killed at any moment.

    :param code: The exit code.
    """
    timer = threading.Timer(seconds, partial(_end, code))
    timer.daemon = True
    timer.start()


def _end(code: int) -> None:
    logger.warning("some work did not end in time, and was cut off; the audit log will tell of changes among it")
    os._exit(code)
