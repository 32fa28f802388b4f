"""Attempts that were refused, in the audit log: each, up to a number, and then how many more there were.

A token may send thousands of requests a minute. Without a bound, whoever may only read could fill the disk with what
was refused, and hide between it what else was tried.
"""

from __future__ import annotations

import threading
from collections import Counter

from model_registry import StorageError
from model_registry_server.security.audit import Audit
from model_registry_server.security.undertakings import Outcome

#: Attempts of one caller that are told one by one, between two calls of :meth:`Attempts.settle`.
MOST_TOLD = 20


class Attempts:
    """What was refused of late. Safe to use from several threads.

    What has not been settled when a server dies is lost, but for those that were told one by one.
    """

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._counting = threading.Lock()
        self._told: Counter[str] = Counter()
        self._more: Counter[tuple[str, str]] = Counter()

    def note(self, owner: str, actor: str, outcome: Outcome, address: str) -> None:
        """Somebody was refused.

        :param owner: Whose attempts are counted together.
        """
        with self._counting:
            is_told = self._told[owner] < MOST_TOLD
            if is_told:
                self._told[owner] += 1
            else:
                self._more[actor, outcome.action] += 1
        if is_told:
            self._audit.record(actor, outcome.action, outcome.subject, outcome.details, address)

    def settle(self) -> None:
        """Tell how many more there were of each kind, and count anew."""
        with self._counting:
            more, self._more = self._more, Counter()
            self._told.clear()
        while more:
            (actor, action), times = next(iter(more.items()))
            try:
                self._audit.record(actor, action, "", {"times": times})
            except StorageError:
                with self._counting:
                    self._more += more  # to be told the next time
                raise
            del more[actor, action]
