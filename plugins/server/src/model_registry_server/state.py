"""What the server itself remembers, beside the registry: one SQLite file in the registry's folder ``server``.

Tokens, jobs, uploads under way and the audit log live there. The registry does not need it: without the file, a server
begins anew and every model is still there.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_registry import StorageError

#: Of the tables; a release that changes what one holds counts it up, and brings older files forward.
SCHEMA = 1
#: Seconds to wait for another process's transaction.
_BUSY_SECONDS = 30.0


class State:
    """The file, with one connection for each thread. Safe to use from several threads and processes.

    :param folder: The registry's folder.
    :raises StorageError: if the file cannot be written, or is of a later release.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "server"
        self.path = self.folder / "state.sqlite"
        self._local = threading.local()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.path.touch(mode=0o600)
        except OSError as error:
            hint = "the server needs to write there"
            raise StorageError(f"{self.folder}: {error.strerror}", hint=hint, path=str(self.folder)) from error
        self._check_schema()

    def _check_schema(self) -> None:
        with self.writing() as db:
            found = db.execute("PRAGMA user_version").fetchone()[0]
            if found > SCHEMA:
                message = f"{self.path} is of a later release: its schema is {found}, this one knows up to {SCHEMA}"
                raise StorageError(message, hint="upgrade model-registry-server", path=str(self.path))
            if found < SCHEMA:
                db.execute(f"PRAGMA user_version = {SCHEMA}")

    def create(self, *statements: str) -> None:
        """Make tables, each by a statement that does nothing if there is one."""
        with self.writing() as db:
            for statement in statements:
                db.execute(statement)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read by; each statement is a transaction."""
        try:
            yield self._connection()
        except sqlite3.DatabaseError as error:
            raise _storage_error(error, self.path) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable when the block has ended, undone if it raises."""
        try:
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            raise _storage_error(error, self.path) from error

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            found = sqlite3.connect(
                self.path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False, factory=_Connection
            )
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = FULL")  # with NORMAL, a power cut takes acknowledged commits away
            found.execute("PRAGMA foreign_keys = ON")
            found.execute("PRAGMA trusted_schema = OFF")
            self._local.db = found
        return found


class _Connection(sqlite3.Connection):
    def __del__(self) -> None:
        # A thread that ends leaves its connection to the garbage collector, of which Python 3.13 warns.
        with suppress(sqlite3.Error):
            self.close()


def _storage_error(error: sqlite3.DatabaseError, path: Path) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        return error  # a constraint spoke: the caller knows what it means
    return StorageError(f"{path}: {error}", hint="nothing was changed; try again", path=str(path))
