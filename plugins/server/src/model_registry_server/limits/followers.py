"""How many streams a caller has open: each is a connection that may last for days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from model_registry_server.errors import TooManyRequestsError

#: Streams of one caller.
MOST_STREAMS = 100
_RETRY_SECONDS = 60


class Followers:
    """The streams that are open, by caller. Used by one event loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, owner: str) -> Iterator[None]:
        """While a caller follows something.

        :raises TooManyRequestsError: if it follows as much as it may already.
        """
        if self._open[owner] >= MOST_STREAMS:
            hint = "close some; one stream of …/events tells of every model"
            message = f"you have {MOST_STREAMS} streams open"
            raise TooManyRequestsError(message, hint=hint, retry_after=_RETRY_SECONDS)
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
