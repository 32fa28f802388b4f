"""The audit log: who did what, when, from where. Each entry holds the digest of the one before it.

Whoever changes, removes or puts in an entry has to make all later ones anew, and with them the head. A head that was
noted elsewhere (see :meth:`Audit.head`) therefore proves all that came before it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import frozen

from model_registry import InvalidMetadataError, InvalidOptionError
from model_registry_server.security import moments
from model_registry_server.state import State

#: What the first entry holds for the digest of the one before, and the head of an empty log.
GENESIS = "0" * 64
#: Characters of one field; what is longer is cut, because nobody may stop an entry by the length of a name.
MOST_CHARACTERS = 1000
MOST_ENTRIES = 10_000

_TABLE = """
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    address TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
)
"""
# Against mistakes. Against malice, which can drop them, there is the chain.
_NEVER = """
CREATE TRIGGER IF NOT EXISTS audit_no_{0} BEFORE {0} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END
"""
_HASHED = ("id", "at", "actor", "action", "subject", "details", "address", "previous")
_INSERT = "INSERT INTO audit VALUES (:id, :at, :actor, :action, :subject, :details, :address, :previous, :hash)"
_SEARCH = """
SELECT * FROM audit
WHERE (:before IS NULL OR id < :before)
  AND (:actor IS NULL OR actor = :actor)
  AND (:action IS NULL OR action = :action)
  AND (:since IS NULL OR at >= :since)
  AND (:until IS NULL OR at < :until)
  AND (:part IS NULL OR instr(lower(subject), :part) > 0)
  AND (:glob IS NULL OR lower(subject) GLOB :glob)
ORDER BY id DESC
LIMIT :limit
"""


@frozen
class AuditEntry:
    """One thing that somebody did.

    :param id: 1 for the first; there are no gaps.
    :param at: When, in UTC.
    :param actor: Who: a token's name, or ``user@host`` of a person at the command line.
    :param action: What, such as ``token.create``.
    :param subject: To what, such as ``model:1.0.0``.
    :param details: More about it, of types that JSON has.
    :param address: Where the request came from; empty for this machine.
    :param previous: The hash of the entry before.
    :param hash: SHA-256 over all the above.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]
    address: str
    previous: str
    hash: str


@frozen
class AuditProblem:
    """Where the log is not what was once written.

    :param id: The first entry that does not hold; for a log whose end is missing, the next that should be there.
    :param message: What is wrong.
    """

    id: int
    message: str


class Audit:
    """The log of a server. Safe to use from several threads and processes."""

    def __init__(self, state: State) -> None:
        self._state = state
        state.create(_TABLE, _NEVER.format("UPDATE"), _NEVER.format("DELETE"))

    def record(
        self, actor: str, action: str, subject: str, details: Mapping[str, Any] | None = None, address: str = ""
    ) -> AuditEntry:
        """Add an entry; it is durable on return.

        :raises InvalidMetadataError: for details that JSON cannot hold.
        """
        with self._state.writing() as db:
            return self.append(db, actor, action, subject, details, address)

    def append(
        self,
        db: sqlite3.Connection,
        actor: str,
        action: str,
        subject: str,
        details: Mapping[str, Any] | None = None,
        address: str = "",
    ) -> AuditEntry:
        """The same within a transaction of :meth:`State.writing`: either both are kept, what is done and its entry."""
        last = db.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        fields = {
            "id": 1 if last is None else last["id"] + 1,
            "at": moments.microseconds(moments.now()),
            "actor": _text(actor),
            "action": _text(action),
            "subject": _text(subject),
            "details": _details(details or {}),
            "address": _text(address),
            "previous": GENESIS if last is None else last["hash"],
        }
        fields["hash"] = _hash(fields)
        db.execute(_INSERT, fields)
        return _entry(fields)

    def search(
        self,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """Entries, the newest first.

        :param subject: A part of it, or a pattern with ``*`` or ``?`` for all of it; case does not count.
        :param since: From this moment on.
        :param until: Before this moment.
        :param before: Only entries with a smaller id: the id of the last entry of the page before.
        :param limit: At most so many entries, 1 to 10,000.
        :raises InvalidOptionError: for another limit, or a moment without a time zone.
        """
        if not 1 <= limit <= MOST_ENTRIES:
            hint = f"use 1 to {MOST_ENTRIES:,}"
            raise InvalidOptionError(f"a page cannot have {limit:,} entries", hint=hint, option="limit")
        pattern = None if subject is None else subject.lower()
        is_glob = pattern is not None and ("*" in pattern or "?" in pattern)
        values = {
            "before": before,
            "actor": actor,
            "action": action,
            "since": _since_1970(since),
            "until": _since_1970(until),
            "part": None if is_glob else pattern,
            "glob": pattern if is_glob else None,
            "limit": limit,
        }
        with self._state.reading() as db:
            return [_entry(dict(row)) for row in db.execute(_SEARCH, values)]

    def head(self) -> str:
        """The hash of the last entry. Noted elsewhere, it lets :meth:`verify` find that the end was cut off."""
        with self._state.reading() as db:
            row = db.execute("SELECT hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        return GENESIS if row is None else str(row["hash"])

    def verify(self, head: str | None = None) -> AuditProblem | None:
        """Go over the whole log.

        :param head: A head that was noted earlier, and must be in it.
        :returns: The first entry that does not hold; None if all do.
        """
        previous, expected, seen = GENESIS, 1, head in (None, GENESIS)
        with self._state.reading() as db:
            for row in db.execute("SELECT * FROM audit ORDER BY id"):
                if problem := _problem(row, expected, previous):
                    return AuditProblem(expected, problem)
                previous, expected = row["hash"], expected + 1
                seen = seen or previous == head
        if seen:
            return None
        return AuditProblem(expected, "the log's end was cut off: the head noted earlier is not in it")


def _problem(row: sqlite3.Row, expected: int, previous: str) -> str:
    """What is wrong with an entry; empty if nothing is."""
    if row["id"] != expected:
        return f"entry {expected} is missing"
    if row["previous"] != previous:
        return f"entry {expected} does not follow the one before it"
    if row["hash"] != _hash(dict(row)):
        return f"entry {expected} was changed"
    return ""


def _hash(fields: Mapping[str, Any]) -> str:
    # repr: a forged row may hold bytes, which must not stop the check.
    text = json.dumps({name: fields[name] for name in _HASHED}, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(fields: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(**{**fields, "at": moments.moment(fields["at"]), "details": json.loads(fields["details"])})


def _details(details: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(details), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMetadataError(f"not representable as JSON: {error}", field="details") from error


def _text(value: str) -> str:
    """A text that UTF-8 can hold, and not too long."""
    text = value.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def _since_1970(moment: datetime | None) -> int | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidOptionError(f"{moment} has no time zone", hint="use a datetime in UTC", option="since, until")
    return None if moment is None else moments.microseconds(moment)
