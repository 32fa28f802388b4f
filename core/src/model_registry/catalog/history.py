"""The history in SQLite: one row for each change, written in the transaction that makes the change."""

from __future__ import annotations

import json
import sqlite3
from itertools import islice
from typing import Any

from model_registry import actor
from model_registry.catalog import actions
from model_registry.catalog.connection import Connections
from model_registry.catalog.facts import EventRow
from model_registry.catalog.words import WORD, note_words
from model_registry.clock import now
from model_registry.forks import Connection
from model_registry.names import name_key
from model_registry.versions import sort_key

#: Microseconds of the year 9999.
_LATEST = 250_000 * 1_000_000_000_000

_INSERT = f"""
    INSERT OR IGNORE INTO events (id, at, actor, action, model_id, version, subject, before, after)
    VALUES (?, ?, {WORD}, {WORD}, ?, ?, ?, ?, ?)
"""
_OF_ALIASES = f"(SELECT id FROM words WHERE word IN {actions.OF_ALIASES})"
_SELECT = """
    SELECT e.id, e.at, (SELECT word FROM words WHERE id = e.actor), (SELECT word FROM words WHERE id = e.action),
        m.name, e.version, e.subject, e.before, e.after
    FROM events e JOIN models m ON m.id = e.model_id
"""


def record(
    db: sqlite3.Connection,
    action: str,
    model_id: int,
    version: str | None = None,
    subject: str | None = None,
    *,
    before: Any = None,
    after: Any = None,
    at: int | None = None,
) -> None:
    """Write an event into the transaction that is under way.

    :param at: When, in microseconds; default: now.
    """
    who, at = actor.current(), now() if at is None else at
    version = _text(version)  # of a row that somebody may have forged
    id = insert_event(db, None, at, who, action, model_id, version, subject, before, after)
    if isinstance(db, Connection):
        name, digest = _about(db, action, model_id, version, before)
        change = {"id": id, "at": at, "actor": who, "action": action, "model": name, "version": version}
        db.told.append({**change, "digest": digest, "subject": subject, "before": before, "after": after})


def insert_event(
    db: sqlite3.Connection,
    id: int | None,
    at: int,
    who: str,
    action: str,
    model_id: int,
    version: str | None = None,
    subject: str | None = None,
    before: Any = None,
    after: Any = None,
) -> int | None:
    """Write an event as it is given; its id.

    :param id: None for the next one. One that is there already stays.
    """
    note_words(db, who, action)
    values = (id, at, who, action, model_id, version, subject, _json(before), _json(after))
    return db.execute(_INSERT, values).lastrowid


def _about(
    db: sqlite3.Connection, action: str, model_id: int, version: str | None, before: Any
) -> tuple[str, str | None]:
    """The name of a model, and the digest of its version: the visible one, else what was removed last."""
    (name,) = db.execute("SELECT name FROM models WHERE id = ?", (model_id,)).fetchone()
    if action == actions.FORGOTTEN:
        return str(name), before["digest"]
    if version is None or action == actions.REGISTERED:  # of which the blobs tell
        return str(name), None
    query = "SELECT lower(hex(digest)) FROM versions WHERE model_id = ? AND sort_key = ?"
    values = (model_id, sort_key(version))
    visible = db.execute(f"{query} AND removed_at IS NULL", values).fetchone()
    removed = f"{query} AND removed_at IS NOT NULL ORDER BY removed_at DESC LIMIT 1"
    found = visible or db.execute(removed, values).fetchone()
    return str(name), found and found[0]


class SqliteHistory:
    """See :class:`model_registry.catalog.facts.History`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def events(
        self,
        name: str | None = None,
        version: str | None = None,
        *,
        alias: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[EventRow]:
        terms: list[str] = ["TRUE"]
        values: list[object] = []
        if name is not None:
            terms.append("e.model_id = (SELECT id FROM models WHERE key = ?)")
            values.append(name_key(name))
        if alias is not None:
            terms.append(f"lower(e.subject) = ? AND e.action IN {_OF_ALIASES}")
            values.append(alias.lower())
        if before is not None:
            terms.append("e.id < ?")
            values.append(before)
        query = f"{_SELECT} WHERE {' AND '.join(terms)} ORDER BY e.id DESC"
        with self._connections.reading() as db:
            rows = db.execute(query, values)
            if version is not None:  # equal versions may be written differently, which SQL cannot tell
                key = sort_key(version)
                return [_event(row) for row in islice((row for row in rows if _is_of(row[5], key)), limit)]
            return [_event(row) for row in islice(rows, limit)]


def _is_of(version: str | None, key: str) -> bool:
    return version is not None and sort_key(version) == key


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _event(row: Any) -> EventRow:
    """As much of an event as can be read, if somebody forged it."""
    id, at, who, action, model, version, subject, before, after = row
    when = at if type(at) is int and abs(at) < _LATEST else 0
    return EventRow(
        id, when, str(who), str(action), str(model), _text(version), _text(subject), _told(before), _told(after)
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _told(text: Any) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
