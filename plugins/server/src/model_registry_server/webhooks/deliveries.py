"""The deliveries in the server's state: what is to be sent, and what became of it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import asdict

from model_registry import Event, InvalidOptionError
from model_registry_server.errors import NotFoundError
from model_registry_server.security import moments
from model_registry_server.state import State
from model_registry_server.webhooks.payload import body_of
from model_registry_server.webhooks.webhook import Delivery, DeliveryState, Outcome, Parcel

#: That are remembered of one webhook.
MOST_DELIVERIES = 10_000
#: The action of a test.
PING = "ping"
_GONE = 410

_TABLE = """
CREATE TABLE IF NOT EXISTS webhook_deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    webhook TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event INTEGER,
    action TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    next_try_at INTEGER,
    last_try_at INTEGER,
    status INTEGER,
    error TEXT,
    duration REAL,
    body TEXT NOT NULL
)"""
_BY_TURN = """
CREATE INDEX IF NOT EXISTS webhook_deliveries_by_turn ON webhook_deliveries (webhook, state, next_try_at, number)"""
_BY_AGE = "CREATE INDEX IF NOT EXISTS webhook_deliveries_by_age ON webhook_deliveries (created_at)"


class Deliveries:
    """The table of deliveries. Safe to use from several threads and processes.

    :param state: Where the table is, or is made, beside that of webhooks.
    :param most: How many are remembered of one webhook. One that is pending is never forgotten for that.
    """

    def __init__(self, state: State, *, most: int = MOST_DELIVERIES) -> None:
        self._state = state
        self.most = most
        state.create(_TABLE, _BY_TURN, _BY_AGE)

    def insert(self, db: sqlite3.Connection, webhook: str, event: Event, version: Any) -> str:
        """Add a delivery within a transaction of :meth:`State.writing`; its id."""
        id, now = secrets.token_hex(16), moments.microseconds(moments.now())
        number = None if event.action == PING else event.id
        values = (id, webhook, number, event.action, "pending", now, now, body_of(id, event, version))
        db.execute(
            "INSERT INTO webhook_deliveries (id, webhook, event, action, state, created_at, next_try_at, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        return id

    def make_room(self, db: sqlite3.Connection, webhook: str) -> None:
        """Forget the oldest that have ended, within the transaction that added some."""
        count = db.execute("SELECT count(*) FROM webhook_deliveries WHERE webhook = ?", (webhook,)).fetchone()[0]
        if count > self.most:
            db.execute(
                "DELETE FROM webhook_deliveries WHERE number IN (SELECT number FROM webhook_deliveries"
                " WHERE webhook = ? AND state != 'pending' ORDER BY number LIMIT ?)",
                (webhook, count - self.most),
            )

    def add_ping(self, webhook: str, actor: str) -> Delivery:
        """Queue a test.

        :raises NotFoundError: if there is no such webhook.
        :raises InvalidOptionError: if it is not active.
        """
        with self._state.writing() as db:
            _require_active(db, webhook)
            id = self.insert(db, webhook, Event(0, moments.now(), actor, PING, ""), None)
            self.make_room(db, webhook)
            return _get(db, webhook, id)

    def retry(self, webhook: str, id: str) -> Delivery:
        """Send a delivery at once, and if need be as often as a new one, whatever became of it.

        :raises NotFoundError: if there is no such webhook or delivery.
        :raises InvalidOptionError: if the webhook is not active.
        """
        with self._state.writing() as db:
            _require_active(db, webhook)
            _get(db, webhook, id)
            db.execute(
                "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_try_at = ? WHERE id = ?",
                (moments.microseconds(moments.now()), id),
            )
            return _get(db, webhook, id)

    def get(self, webhook: str, id: str) -> Delivery:
        """:raises NotFoundError: if there is none."""
        with self._state.reading() as db:
            return _get(db, webhook, id)

    def list(
        self, webhook: str, state: DeliveryState | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        """The newest first.

        :param before: The id of the last delivery of the page before.
        """
        values = {"webhook": webhook, "state": state and state.value, "before": before, "limit": limit}
        with self._state.reading() as db:
            rows = db.execute(
                "SELECT * FROM webhook_deliveries WHERE webhook = :webhook AND (:state IS NULL OR state = :state)"
                " AND (:before IS NULL OR number < (SELECT number FROM webhook_deliveries WHERE id = :before))"
                " ORDER BY number DESC LIMIT :limit",
                values,
            ).fetchall()
        return [_delivery(row) for row in rows]

    def waiting(self, at: datetime) -> Sequence[str]:
        """The active webhooks for which something is due."""
        with self._state.reading() as db:
            rows = db.execute(
                "SELECT id FROM webhooks WHERE active AND EXISTS (SELECT 1 FROM webhook_deliveries"
                " WHERE webhook = webhooks.id AND state = 'pending' AND next_try_at <= ?) ORDER BY id",
                (moments.microseconds(at),),
            ).fetchall()
        return [row["id"] for row in rows]

    def due(self, webhook: str, at: datetime, limit: int, *, but: Collection[str] = ()) -> Sequence[Parcel]:
        """What of a webhook is due, in its turn.

        :param but: Ids of deliveries that are under way.
        """
        with self._state.reading() as db:
            rows = db.execute(
                "SELECT d.*, w.url, w.secret FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook"
                " WHERE d.webhook = ? AND w.active AND d.state = 'pending' AND d.next_try_at <= ?"
                " ORDER BY d.next_try_at, d.number LIMIT ?",
                (webhook, moments.microseconds(at), limit + len(but)),
            ).fetchall()
        return [_parcel(row) for row in rows if row["id"] not in but][:limit]

    def settle(self, parcel: Parcel, outcome: Outcome, delay: float | None) -> None:
        """Note what became of a try. An answer 410 also ends the webhook.

        :param delay: Seconds to the next try; None for no more.
        """
        now = moments.now()
        again = outcome.error is not None and outcome.status != _GONE and delay is not None
        state = "delivered" if outcome.error is None else "pending" if again else "failed"
        next_at = moments.microseconds(now + timedelta(seconds=delay)) if again and delay is not None else None
        values = (state, next_at, moments.microseconds(now), outcome.status, outcome.error, outcome.duration, parcel.id)
        with self._state.writing() as db:
            db.execute(
                "UPDATE webhook_deliveries SET state = ?, attempts = attempts + 1, next_try_at = ?, last_try_at = ?,"
                " status = ?, error = ?, duration = ? WHERE id = ?",
                values,
            )
            if outcome.status == _GONE:
                because = f"it answered 410 Gone at {now.isoformat(timespec='seconds')}"
                db.execute("UPDATE webhooks SET active = 0, ended_because = ? WHERE id = ?", (because, parcel.webhook))

    def forget(self, before: datetime) -> int:
        """Forget the deliveries that were made before then. Returns how many."""
        with self._state.writing() as db:
            moment = moments.microseconds(before)
            return db.execute("DELETE FROM webhook_deliveries WHERE created_at < ?", (moment,)).rowcount


def document_of(delivery: Delivery) -> dict[str, Any]:
    """A delivery as the API tells of it."""
    fields = asdict(delivery, filter=lambda attribute, _: attribute.name != "body")
    return {**fields, "payload": json.loads(delivery.body)}


def _require_active(db: sqlite3.Connection, webhook: str) -> None:
    row = db.execute("SELECT active FROM webhooks WHERE id = ?", (webhook,)).fetchone()
    if row is None:
        raise NotFoundError(f"there is no webhook {webhook!r:.80}", hint="GET /webhooks lists them", id=webhook)
    if not row["active"]:
        hint = "activate it first"
        raise InvalidOptionError(f"nothing is sent to the webhook {webhook}", hint=hint, option="active")


def _get(db: sqlite3.Connection, webhook: str, id: str) -> Delivery:
    row = db.execute("SELECT * FROM webhook_deliveries WHERE id = ? AND webhook = ?", (id, webhook)).fetchone()
    if row is None:
        hint = "old ones are forgotten; GET /webhooks/…/deliveries lists the others"
        raise NotFoundError(f"there is no delivery {id!r:.80}", hint=hint, id=id)
    return _delivery(row)


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        id=row["id"],
        webhook=row["webhook"],
        event=row["event"],
        action=row["action"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        created_at=moments.moment(row["created_at"]),
        next_try_at=_moment(row["next_try_at"]),
        last_try_at=_moment(row["last_try_at"]),
        status=row["status"],
        error=row["error"],
        duration=row["duration"],
        body=row["body"],
    )


def _parcel(row: sqlite3.Row) -> Parcel:
    return Parcel(
        id=row["id"],
        webhook=row["webhook"],
        url=row["url"],
        secret=row["secret"],
        action=row["action"],
        attempts=row["attempts"],
        body=row["body"].encode(),
    )


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moments.moment(microseconds)
