"""How much of something a caller has at once: each is a connection that may last for days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from model_registry_server.errors import TooManyRequestsError


class AtOnce:
    """What is under way, by caller. Used by one event loop.

    :param most: What one caller may have.
    :param what: What it has then, for the error's message.
    :param hint: What to do about it.
    :param retry_after: Seconds after which some of it may have ended.
    """

    def __init__(self, most: int, what: str, hint: str, retry_after: int) -> None:
        self._most = most
        self._what = what
        self._hint = hint
        self._retry_after = retry_after
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def one_more(self, owner: str) -> Iterator[None]:
        """While a caller has one more.

        :raises TooManyRequestsError: if it has as many already as it may.
        """
        if self._under_way[owner] >= self._most:
            message = f"you have {self._most} {self._what}"
            raise TooManyRequestsError(message, hint=self._hint, retry_after=self._retry_after)
        self._under_way[owner] += 1
        try:
            yield
        finally:
            self._under_way[owner] -= 1
            if not self._under_way[owner]:
                del self._under_way[owner]
