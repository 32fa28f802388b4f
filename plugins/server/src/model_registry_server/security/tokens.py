"""Tokens: who may call the server, as what, and for which models."""

from __future__ import annotations

import hmac
import json
import logging
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from attrs import frozen

from model_registry import InvalidNameError, InvalidOptionError, StorageError
from model_registry_server.security import moments, token_texts
from model_registry_server.security.roles import EVERY_MODEL, Caller, Role
from model_registry_server.state import State

logger = logging.getLogger("model_registry.server")

MOST_NAME_CHARACTERS = 100
MOST_PATTERN_CHARACTERS = 200
MOST_PATTERNS = 100

#: Seconds for which a token is believed without asking the file: as long may a revocation elsewhere go unseen.
_BELIEVED = 0.5
#: What some name of a model can match: its characters and those of patterns, and no part between slashes is empty.
_PATTERN = re.compile(r"(?!/)(?:(?!//)[A-Za-z0-9._/*?\[\]!-])+(?<!/)")
_NOTED_EVERY = timedelta(minutes=1)
#: Compared with when no token has the id, so that the time tells nothing. It is the digest of no secret.
_NOTHING = "0" * 64

_TABLE = """
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    patterns TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
)
"""
_INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS tokens_by_name ON tokens (name) WHERE revoked_at IS NULL"


@frozen
class Token:
    """A token, without its secret. Moments are in UTC.

    :param id: Eight hex digits.
    :param patterns: The models that the role holds for.
    :param expires_at: From then on it is refused; None for never.
    :param revoked_at: When somebody took it back; None if nobody did.
    :param last_used_at: When it was last seen, to the minute.
    """

    id: str
    name: str
    role: Role
    patterns: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_good(self, at: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def caller(self, address: str) -> Caller:
        """Whoever bears it and calls from ``address``."""
        return Caller(self.name, self.role, self.patterns, self.id, address)


#: What else happens in the transaction that changes a token, such as noting it in the audit log.
Also = Callable[[sqlite3.Connection, Token], object]


class Tokens:
    """The tokens of a server. Safe to use from several threads and processes.

    :param state: Where they are kept; of a secret, only its digest is.
    :param clock: Tells the time.
    """

    def __init__(self, state: State, *, clock: Callable[[], datetime] = moments.now) -> None:
        self._state = state
        self._clock = clock
        self._believed: dict[str, tuple[float, str, Token]] = {}
        self._uses: dict[str, datetime] = {}
        self._writer: ThreadPoolExecutor | None = None
        self._changing = threading.Lock()
        self._exist = False
        state.create(_TABLE, _INDEX)

    def create(
        self,
        name: str | None,
        role: Role | str,
        patterns: Sequence[str] = (EVERY_MODEL,),
        expires_at: datetime | None = None,
        *,
        also: Also | None = None,
    ) -> tuple[str, Token]:
        """Make a token.

        :param name: Whose it is, for people; None makes one of role and id.
        :param patterns: The models that the role holds for, such as ``team-a/*``.
        :param also: Done in the same transaction; if it raises, there is no token.
        :returns: The text that its bearer sends, which nobody can ever read again, and the token.
        :raises InvalidNameError: for a name or a pattern that cannot be, or a name that an unrevoked token has.
        :raises InvalidOptionError: for a role that there is not, or a moment that is past or without a time zone.
        """
        role, patterns, created = _checked_role(role), _checked_patterns(patterns), self._clock()
        _check_end(expires_at, created)
        if name is not None:
            _check_text("the name of a token", name, MOST_NAME_CHARACTERS)
        secret = token_texts.new_secret()
        with self._state.writing() as db:
            token_id = _free_id(db)
            token = Token(token_id, name or f"{role}-{token_id}", role, patterns, created, expires_at)
            _insert(db, token, token_texts.digest(secret))
            if also is not None:
                also(db, token)
        return token_texts.join(token.id, secret), token

    def check(self, text: str) -> Token | None:
        """The token that a text is; None if it is wrong, expired or revoked.

        A revocation by another process is seen within a second, one by this object at once.
        """
        parts = token_texts.split(text)
        if parts is None:
            return None
        token_id, secret = parts
        found = self._find(token_id)
        expected, token = (_NOTHING, None) if found is None else found
        if not hmac.compare_digest(token_texts.digest(secret), expected) or token is None:
            return None
        at = self._clock()
        if not token.is_good(at):
            return None
        self._note_use(token, at)
        return token

    def list(self) -> list[Token]:
        """Every token that was ever made, the oldest first."""
        with self._state.reading() as db:
            return [_token(row) for row in db.execute("SELECT * FROM tokens ORDER BY created_at, id")]

    def revoke(self, token_id: str, *, also: Also | None = None) -> bool:
        """Refuse a token from now on.

        :param also: Done in the same transaction, if it revokes.
        :returns: Whether there was such a token and it was not revoked yet.
        """
        with self._state.writing() as db:
            row = db.execute("SELECT * FROM tokens WHERE id = ? AND revoked_at IS NULL", (token_id,)).fetchone()
            if row is not None:
                at = moments.microseconds(self._clock())
                db.execute("UPDATE tokens SET revoked_at = ? WHERE id = ?", (at, token_id))
                if also is not None:
                    also(db, _token(row))
        self._believed.pop(token_id, None)
        return row is not None

    def any(self) -> bool:
        """Whether a token was ever made, be it revoked. Then the server is no longer open to everybody."""
        if not self._exist:  # tokens are never deleted: once true, it stays true
            with self._state.reading() as db:
                self._exist = db.execute("SELECT 1 FROM tokens LIMIT 1").fetchone() is not None
        return self._exist

    def close(self) -> None:
        """Finish noting when tokens were used."""
        with self._changing:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.shutdown()

    def _find(self, token_id: str) -> tuple[str, Token] | None:
        """A token and the digest of its secret."""
        asked = time.monotonic()  # before the file is read: what changes meanwhile is not believed any longer
        known = self._believed.get(token_id)
        if known is not None and asked - known[0] < _BELIEVED:
            return known[1:]
        with self._state.reading() as db:
            row = db.execute("SELECT * FROM tokens WHERE id = ?", (token_id,)).fetchone()
        if row is None:  # not remembered, so that guesses take no memory
            return None
        token = _token(row)
        self._believed[token_id] = asked, row["sha256"], token
        return row["sha256"], token

    def _note_use(self, token: Token, at: datetime) -> None:
        """Write down that a token was used, in a thread of its own: a request does not wait for the disk."""
        with self._changing:
            last = self._uses.get(token.id, token.last_used_at)
            if last is not None and at - last < _NOTED_EVERY:
                return
            self._uses[token.id] = at
            if self._writer is None:
                self._writer = ThreadPoolExecutor(1, "tokens")
            self._writer.submit(self._write_use, token.id, moments.microseconds(at))

    def _write_use(self, token_id: str, at: int) -> None:
        try:
            with self._state.writing() as db:
                db.execute("UPDATE tokens SET last_used_at = ? WHERE id = ?", (at, token_id))
        except StorageError as error:  # it is only for people who wonder whether the token is still needed
            logger.warning("when token %s was used could not be noted: %s", token_id, error)


def _free_id(db: sqlite3.Connection) -> str:
    while True:
        token_id = token_texts.new_id()
        if db.execute("SELECT 1 FROM tokens WHERE id = ?", (token_id,)).fetchone() is None:
            return token_id


def _insert(db: sqlite3.Connection, token: Token, sha256: str) -> None:
    values = (
        token.id,
        token.name,
        token.role.value,
        json.dumps(token.patterns),
        sha256,
        moments.microseconds(token.created_at),
        None if token.expires_at is None else moments.microseconds(token.expires_at),
    )
    columns = "id, name, role, patterns, sha256, created_at, expires_at"
    try:
        db.execute(f"INSERT INTO tokens ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608  # constant
    except sqlite3.IntegrityError as error:  # the id is free, so it is the name
        hint = "revoke that one first, or choose another name"
        raise InvalidNameError(f"there is a token named {token.name!r} already", hint=hint, value=token.name) from error


def _token(row: sqlite3.Row) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        patterns=tuple(json.loads(row["patterns"])),
        created_at=moments.moment(row["created_at"]),
        expires_at=_moment(row["expires_at"]),
        revoked_at=_moment(row["revoked_at"]),
        last_used_at=_moment(row["last_used_at"]),
    )


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moments.moment(microseconds)


def _checked_role(role: Role | str) -> Role:
    try:
        return Role(role)
    except ValueError:
        hint = f"use one of {', '.join(Role)}"
        raise InvalidOptionError(f"there is no role {role!r}", hint=hint, option="role") from None


def _checked_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    if isinstance(patterns, str) or not 0 < len(patterns) <= MOST_PATTERNS:
        hint = f"give a list of 1 to {MOST_PATTERNS}, such as ['team-a/*']"
        raise InvalidOptionError("the patterns of a token cannot be these", hint=hint, option="patterns")
    for pattern in patterns:
        _check_text("a pattern of a token", pattern, MOST_PATTERN_CHARACTERS)
        if not _PATTERN.fullmatch(pattern):
            hint = "use letters, digits and . _ - /, and * for any characters, as in 'team-a/*'"
            raise InvalidNameError(f"no model can be called {pattern!r}", hint=hint, value=pattern)
    return tuple(dict.fromkeys(patterns))


def _check_text(what: str, value: object, most: int) -> None:
    if not (isinstance(value, str) and 0 < len(value) <= most and value.isprintable() and value.strip()):
        shown = repr(value) if len(repr(value)) <= most else f"{repr(value)[:most]}…"
        raise InvalidNameError(f"{what} cannot be {shown}", hint=f"use 1 to {most} printable characters", value=value)


def _check_end(expires_at: datetime | None, created: datetime) -> None:
    if expires_at is None:
        return
    if expires_at.tzinfo is None:
        problem, hint = "without a time zone", "use a datetime in UTC"
    elif expires_at <= created:
        problem, hint = "which is past", "choose a later moment, or none"
    elif expires_at > moments.LAST:
        problem, hint = "which is too far away", "choose an earlier moment, or none"
    else:
        return
    raise InvalidOptionError(f"a token cannot expire at {expires_at}, {problem}", hint=hint, option="expires_at")
