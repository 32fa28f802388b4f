"""How far a client is behind the pace at which it must take an answer."""

from __future__ import annotations

from model_registry_server.transfer.pace import Pace

#: Bytes that a client may have taken before any of it shows: its system opens a window that was full when a sixteenth
#: of the connection's buffer is free, and buffers grow to 32 MiB.
_UNSEEN = 2 << 20
#: Bytes a second by which those are waited for, if any number may pass.
_ANY_RATE = 1000.0


class Lag:
    """Time lets a client fall behind, bytes that it takes let it catch up, and being ahead earns nothing.

    It may be behind by what the pace demands within its seconds, and by what does not show at once. So an average is
    bounded, over however long a time, and steps of megabytes do no harm.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._rate = pace.rate or _ANY_RATE
        self._most = self._rate * (pace.seconds or 0) + _UNSEEN
        self._behind = 0.0
        self._since = 0.0
        self._unsent = 0

    def begin(self, now: float, unsent: int) -> None:
        """From now on, time counts.

        :param now: Seconds.
        :param unsent: Bytes that the client has not got.
        """
        self._since, self._unsent = now, unsent

    def look(self, now: float, unsent: int) -> float:
        """Seconds after which the client is too far behind, if it takes nothing until then; 0 or less if it is."""
        taken = self._unsent - unsent  # below 0, more was sent since
        self._behind += (now - self._since) * self._rate - max(0, taken)
        if self._behind < 0 or (taken > 0 and not self._pace.rate):
            self._behind = 0.0
        self.begin(now, unsent)
        return (self._most - self._behind) / self._rate


def longest_silence(pace: Pace) -> float:
    """Seconds for which a client may take nothing of an answer: 35 minutes by the usual options."""
    return Lag(pace).look(0.0, 0)
