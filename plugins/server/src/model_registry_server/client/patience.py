"""How long to go on with something that a broken connection interrupted, or that a server is too busy for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from model_registry_server.client.errors import PASSING, UnreachableError
from model_registry_server.errors import TooManyRequestsError

logger = logging.getLogger("model_registry")

#: Seconds for which a transfer that does not get ahead is tried again: a server takes some to start anew.
PATIENCE = 180.0
#: Seconds for which it is tried again as long as the server answers, and says when: others are before it.
LONGEST_REFUSAL = 3600.0
_FIRST, _LONGEST = 0.1, 3.0
_LONGEST_WISH = 60.0
#: Seconds of a pause about which a person begins to wonder.
_NOTICED = 1.5
#: Seconds in which the same is told once, however many transfers wait for it.
_TOLD_FOR = 60.0


def wanted_pause(error: Exception) -> float:
    """Seconds that a server which is asked too often wants its caller to wait; 0 if it wants nothing."""
    wanted = error.facts.get("retry_after") if isinstance(error, TooManyRequestsError) else None
    if not isinstance(wanted, (int, float)) or not wanted > 0:  # NaN is neither more nor less
        return 0.0
    return float(min(wanted, _LONGEST_WISH))


class Patience:
    """Waits a little longer each time, and gives up when attempts have failed for a while, without getting ahead.

    What counts is the time since the first of these failures: an attempt may have gone well for hours before it. A
    server that says when to come again is well; whoever it refuses so waits longer, and not for ever.

    :param seconds: How long attempts may fail.
    :param sleep: Waits for so many seconds; may raise what ends the waiting.
    """

    def __init__(self, seconds: float = PATIENCE, sleep: Callable[[float], object] = time.sleep) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self.renew()

    def renew(self) -> None:
        """Something got ahead."""
        self._until: float | None = None
        self._refused_until: float | None = None
        self._pause = _FIRST

    def wait(self, error: Exception) -> None:
        """Wait until it is time to try again.

        :raises Exception: the error, if that is enough.
        """
        now, wanted = time.monotonic(), wanted_pause(error)
        pause = max(self._pause, wanted)
        end = self._end_of_refusals(now) if wanted else self._end_of_failures(now)
        if now + pause > end:
            raise error
        if pause >= _NOTICED and isinstance(error, PASSING):
            _waits.tell(error, end - now)
        self._sleep(pause)
        self._pause = min(2 * self._pause, _LONGEST)

    def _end_of_failures(self, now: float) -> float:
        if self._until is None:
            self._until = now + self._seconds
        return self._until

    def _end_of_refusals(self, now: float) -> float:
        self._until = None  # there is no failure
        if self._refused_until is None:
            self._refused_until = now + LONGEST_REFUSAL
        return self._refused_until


class _Waits:
    """Tells people for what is waited, and for how long: nobody else sees why nothing moves."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._telling = threading.Lock()

    def tell(self, error: Exception, seconds: float) -> None:
        """:param seconds: How long attempts may still fail."""
        what, now = getattr(error, "message", str(error)), time.monotonic()
        with self._telling:
            self._told = {text: when for text, when in self._told.items() if now - when < _TOLD_FOR}
            if what in self._told:
                return
            self._told[what] = now
        level = logging.WARNING if isinstance(error, UnreachableError) else logging.INFO
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
        logger.log(level, "%s; trying again until %s", what, until)


_waits = _Waits()
