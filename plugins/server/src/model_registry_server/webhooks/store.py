"""The webhooks in the server's state.

Secrets are kept as they are, because they have to sign: whoever reads the file can forge deliveries. It is readable by
the server's user alone (mode 0600), in a folder that is too (0700).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from model_registry import InvalidOptionError
from model_registry_server.errors import NotFoundError
from model_registry_server.security import moments
from model_registry_server.state import State
from model_registry_server.webhooks.checks import checked_events, checked_models, checked_url
from model_registry_server.webhooks.signing import key_of, new_secret
from model_registry_server.webhooks.webhook import Webhook

MOST_WEBHOOKS = 100

# seen: the id of the last event that was looked at for this webhook. It moves in the transaction that makes the
# deliveries, so that no event is lost and none makes two.
_TABLE = """
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    models TEXT NOT NULL,
    description TEXT,
    active INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_because TEXT,
    secret TEXT NOT NULL,
    seen INTEGER NOT NULL
)"""


class Webhooks:
    """The table of webhooks. Safe to use from several threads and processes.

    :param state: Where the table is, or is made.
    :param hosts: The option ``webhook_hosts``.
    """

    def __init__(self, state: State, hosts: Sequence[str]) -> None:
        self._state = state
        self._hosts = tuple(hosts)
        state.create(_TABLE)

    def add(
        self,
        url: str,
        events: Sequence[str] = ("*",),
        models: Sequence[str] = ("*",),
        *,
        secret: str | None = None,
        description: str | None = None,
        active: bool = True,
        seen: int,
    ) -> tuple[str, Webhook]:
        """Make a webhook.

        :param secret: What signs deliveries; None makes one.
        :param seen: The id of the newest event: it is told of later ones.
        :returns: The secret, and the webhook.
        :raises InvalidOptionError: for what cannot be, or if there are too many.
        """
        url, events, models = checked_url(url, self._hosts), checked_events(events), checked_models(models)
        secret = new_secret() if secret is None else secret
        key_of(secret)
        webhook = Webhook(secrets.token_hex(8), url, events, models, description, active, moments.now())
        with self._state.writing() as db:
            if db.execute("SELECT count(*) FROM webhooks").fetchone()[0] >= MOST_WEBHOOKS:
                hint = "delete one that nobody needs"
                raise InvalidOptionError(f"there are {MOST_WEBHOOKS} webhooks already", hint=hint, option="url")
            db.execute(
                "INSERT INTO webhooks (id, url, events, models, description, active, created_at, secret, seen)"
                " VALUES (:id, :url, :events, :models, :description, :active, :created_at, :secret, :seen)",
                {**_columns(webhook), "secret": secret, "seen": seen},
            )
        return secret, webhook

    def list(self) -> list[Webhook]:
        """Every webhook, the oldest first."""
        with self._state.reading() as db:
            return [webhook_of(row) for row in db.execute("SELECT * FROM webhooks ORDER BY created_at, id")]

    def get(self, id: str) -> Webhook:
        """:raises NotFoundError: if there is none."""
        with self._state.reading() as db:
            return _get(db, id)

    def change(self, id: str, changes: Mapping[str, Any], *, seen: int) -> Webhook:
        """Change a webhook. One that becomes active is told of later events only.

        :param changes: Of ``url``, ``events``, ``models``, ``description`` and ``active``.
        :param seen: The id of the newest event.
        :raises InvalidOptionError: for what cannot be; then nothing is changed.
        :raises NotFoundError: if there is none.
        """
        new = dict(changes)
        if "url" in new:
            new["url"] = checked_url(new["url"], self._hosts)
        if "events" in new:
            new["events"] = json.dumps(checked_events(new["events"]))
        if "models" in new:
            new["models"] = json.dumps(checked_models(new["models"]))
        with self._state.writing() as db:
            old = _columns(_get(db, id))
            db.execute(
                "UPDATE webhooks SET url = :url, events = :events, models = :models, description = :description,"
                " seen = CASE WHEN active OR NOT :active THEN seen ELSE :seen END,"
                " ended_because = CASE WHEN :active THEN NULL ELSE ended_because END, active = :active"
                " WHERE id = :id",
                {**old, **new, "seen": seen},
            )
            return _get(db, id)

    def remove(self, id: str) -> bool:
        """Forget a webhook and its deliveries; whether there was one."""
        with self._state.writing() as db:
            return db.execute("DELETE FROM webhooks WHERE id = ?", (id,)).rowcount > 0


def webhook_of(row: sqlite3.Row) -> Webhook:
    """A row of the table."""
    return Webhook(
        id=row["id"],
        url=row["url"],
        events=tuple(json.loads(row["events"])),
        models=tuple(json.loads(row["models"])),
        description=row["description"],
        active=bool(row["active"]),
        created_at=moments.moment(row["created_at"]),
        ended_because=row["ended_because"],
    )


def _columns(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": json.dumps(webhook.events),
        "models": json.dumps(webhook.models),
        "description": webhook.description,
        "active": webhook.active,
        "created_at": moments.microseconds(webhook.created_at),
    }


def _get(db: sqlite3.Connection, id: str) -> Webhook:
    row = db.execute("SELECT * FROM webhooks WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise NotFoundError(f"there is no webhook {id!r:.80}", hint="GET /webhooks lists them", id=id)
    return webhook_of(row)
