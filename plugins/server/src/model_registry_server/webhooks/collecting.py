"""From the history to deliveries.

The history itself is the queue: each webhook remembers how far it was looked through for it. What other processes
change, and what changed while no server ran, is therefore found too; and a webhook that is far behind goes on later.
"""

from __future__ import annotations

import sqlite3

from model_registry import Event, ModelRegistry
from model_registry_server.state import State
from model_registry_server.webhooks.deliveries import Deliveries
from model_registry_server.webhooks.payload import Versions
from model_registry_server.webhooks.store import webhook_of
from model_registry_server.webhooks.webhook import Webhook

#: Events that are looked at in one transaction.
_WINDOW = 500


class Collector:
    """Turns events into deliveries. One at a time for a state.

    :param window: Events that are looked at in one transaction.
    """

    def __init__(self, registry: ModelRegistry, state: State, deliveries: Deliveries, *, window: int = _WINDOW) -> None:
        self._registry = registry
        self._state = state
        self._deliveries = deliveries
        self._window = min(window, deliveries.most // 2)  # all of it must find room, beside some that wait

    def collect(self) -> bool:
        """Go on for each webhook that is behind; whether there is more to do at once."""
        if not self._is_needed():
            return False
        events = self._registry.history(limit=1)
        newest = events[0].id if events else 0
        more = [self._go_on(seen, webhooks, newest) for seen, webhooks in self._behind(newest).items()]
        return any(more)

    def _is_needed(self) -> bool:
        with self._state.reading() as db:
            return db.execute("SELECT 1 FROM webhooks WHERE active LIMIT 1").fetchone() is not None

    def _behind(self, newest: int) -> dict[int, list[Webhook]]:
        """The webhooks that have not seen all, and have room for more, by what they have seen."""
        found: dict[int, list[Webhook]] = {}
        with self._state.reading() as db:
            rows = db.execute(
                "SELECT * FROM webhooks WHERE active AND seen != ? AND (SELECT count(*) FROM webhook_deliveries"
                " WHERE webhook = webhooks.id AND state = 'pending') <= ?",
                (newest, self._deliveries.most - self._window),
            ).fetchall()
        for row in rows:
            found.setdefault(row["seen"], []).append(webhook_of(row))
        return found

    def _go_on(self, seen: int, webhooks: list[Webhook], newest: int) -> bool:
        """Whether there is more."""
        if seen > newest:  # the catalog was put back to an earlier time, and will give these numbers again
            self._write(seen, newest, webhooks, [], Versions(self._registry))
            return False
        until = min(seen + self._window, newest)
        page = self._registry.history(before=until + 1, limit=self._window)
        events = [event for event in reversed(page) if event.id > seen]
        versions = Versions(self._registry)
        for event in events:
            if any(webhook.wants(event) for webhook in webhooks):
                versions.of(event)  # read before the transaction, which others wait for
        self._write(seen, until, webhooks, events, versions)
        return until < newest

    def _write(self, seen: int, until: int, webhooks: list[Webhook], events: list[Event], versions: Versions) -> None:
        with self._state.writing() as db:
            for webhook in webhooks:
                if not _move(db, webhook, seen, until):
                    continue
                wanted = [event for event in events if webhook.wants(event)]
                for event in wanted:
                    self._deliveries.insert(db, webhook.id, event, versions.of(event))
                if wanted:
                    self._deliveries.make_room(db, webhook.id)


def _move(db: sqlite3.Connection, webhook: Webhook, seen: int, until: int) -> bool:
    """Note what a webhook has seen, unless somebody changed it meanwhile: then its turn comes with the next look."""
    row = db.execute("SELECT * FROM webhooks WHERE id = ? AND seen = ?", (webhook.id, seen)).fetchone()
    if row is None or webhook_of(row) != webhook:
        return False
    db.execute("UPDATE webhooks SET seen = ? WHERE id = ?", (until, webhook.id))
    return True
