"""What clients have not taken of their answers fills the server's memory: so much of it one caller may leave."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

#: Bytes: twice what all downloads of a caller hold, or the largest pages of a listing for two dozen clients.
MOST_UNREAD = 128 << 20


class Connection(Protocol):
    """One on which something is unread."""

    def give_up(self, why: str) -> None:
        """Close it, whatever is unread."""


class Unread:
    """What is unread, by who asked for it. Used by one event loop.

    :param most: Bytes of one caller. Beyond that, what has lain for longest is given up, and nothing new refused: a
        client that was forgotten somewhere is in nobody's way.
    """

    def __init__(self, most: int = MOST_UNREAD) -> None:
        self._most = most
        self._of: dict[str, dict[Connection, int]] = {}
        self._sums: Counter[str] = Counter()

    def hold(self, caller: str, connection: Connection, size: int) -> None:
        """An answer to a caller takes so many bytes until it is released."""
        self.release(caller, connection)
        held = self._of.setdefault(caller, {})
        held[connection] = size
        self._sums[caller] += size
        while self._sums[caller] > self._most and len(held) > 1:
            oldest = next(iter(held))
            self._sums[caller] -= held.pop(oldest)
            oldest.give_up(f"its caller left more than {self._most:,} bytes of answers unread")

    def release(self, caller: str, connection: Connection) -> None:
        """It was taken, or given up."""
        held = self._of.get(caller, {})
        self._sums[caller] -= held.pop(connection, 0)
        if not held:
            self._of.pop(caller, None)
            del self._sums[caller]
