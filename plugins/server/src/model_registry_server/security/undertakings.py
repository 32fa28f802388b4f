"""Changes that have begun. A server that dies between a change and its entry in the audit log would leave it untold;
the next one finds it here, and tells that nobody knows how it ended."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from anyio import CancelScope
from anyio.to_thread import run_sync
from attrs import frozen

from model_registry import StorageError
from model_registry_server.security import moments
from model_registry_server.security.audit import Audit
from model_registry_server.state import State

logger = logging.getLogger("model_registry.server")

_TABLE = """
CREATE TABLE IF NOT EXISTS undertakings (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    address TEXT NOT NULL
)
"""
_INSERT = "INSERT INTO undertakings (at, actor, action, subject, address) VALUES (?, ?, ?, ?, ?)"


@frozen
class Outcome:
    """What the audit log says of a change in the end."""

    action: str
    subject: str
    details: Mapping[str, Any]


class Undertakings:
    """What is under way. Safe to use from several threads."""

    def __init__(self, state: State, audit: Audit) -> None:
        self._state = state
        self._audit = audit
        state.create(_TABLE)

    def begin(self, actor: str, action: str, subject: str, address: str) -> int:
        """Somebody begins to change something: its number, durable on return."""
        with self._state.writing() as db:
            cursor = db.execute(_INSERT, (moments.microseconds(moments.now()), actor, action, subject, address))
            return int(cursor.lastrowid or 0)  # there is one after each INSERT

    async def begun(self, actor: str, action: str, subject: str, address: str) -> int:
        """The same in a thread. If nobody waits for that any more, it ends as it began: nothing was changed."""
        beginning = asyncio.ensure_future(run_sync(self.begin, actor, action, subject, address))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            with CancelScope(shield=True), suppress(StorageError):
                await self.settle(await beginning, None)
            raise

    async def settle(self, number: int, outcome: Outcome | None) -> None:
        """End it in a thread. If that cannot be noted, the caller is told all the same whether it was done."""
        try:
            await run_sync(self.end, number, outcome)
        except StorageError:  # the next server tells of it
            logger.exception("a change has ended, and that could not be noted")

    def end(self, number: int, outcome: Outcome | None) -> None:
        """It has ended, by an entry in the audit log, or without one if nothing was changed.

        What ended before, in the transaction that made the change, stays as it was told.
        """
        with self._state.writing() as db:
            self.end_within(db, number, outcome)

    def end_within(self, db: sqlite3.Connection, number: int, outcome: Outcome | None) -> None:
        """The same within a transaction of :meth:`State.writing`."""
        row = db.execute("SELECT * FROM undertakings WHERE number = ?", (number,)).fetchone()
        if row is None:
            return
        db.execute("DELETE FROM undertakings WHERE number = ?", (number,))
        if outcome is not None:
            self._audit.append(db, row["actor"], outcome.action, outcome.subject, outcome.details, row["address"])

    def interrupt(self, number: int, subject: str = "") -> None:
        """It was broken off, and may have been done or not.

        :param subject: What it is about, if that was not known when it began.
        """
        with self._state.writing() as db:
            for row in db.execute("SELECT * FROM undertakings WHERE number = ?", (number,)).fetchall():
                self._tell(db, row, subject or row["subject"])

    def interrupt_all(self) -> None:
        """Nobody goes on with any of them: to be called before the first one is begun."""
        with self._state.writing() as db:
            for row in db.execute("SELECT * FROM undertakings ORDER BY number").fetchall():
                self._tell(db, row, row["subject"])

    def _tell(self, db: sqlite3.Connection, row: sqlite3.Row, subject: str) -> None:
        details = {"begun": moments.moment(row["at"]).isoformat()}
        self._audit.append(db, row["actor"], f"{row['action']}.interrupted", subject, details, row["address"])
        db.execute("DELETE FROM undertakings WHERE number = ?", (row["number"],))
