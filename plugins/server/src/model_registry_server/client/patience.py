"""How long to go on with something that a broken connection interrupted."""

from __future__ import annotations

import time

#: Seconds for which a transfer that does not get ahead is tried again: a server takes some to start anew.
PATIENCE = 180.0
_FIRST, _LONGEST = 0.1, 3.0


class Patience:
    """Waits a little longer each time, and gives up when nothing has got ahead for a while."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Something got ahead."""
        self._until = time.monotonic() + self._seconds
        self._pause = _FIRST

    def wait(self, error: Exception) -> None:
        """Wait until it is time to try again.

        :raises Exception: the error, if that is enough.
        """
        if time.monotonic() + self._pause > self._until:
            raise error
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST)
