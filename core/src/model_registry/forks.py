"""SQLite connections that a fork cannot break.

SQLite keeps its books of file locks per process. A child that inherits an open connection believes that it holds the
locks of its parent, so connections of its own take none; once the parent is gone, any other process may delete the
write-ahead log under the child, and what the child commits is lost. So a child closes whatever it inherited, first of
all, and a fork waits for the statements and transactions that other threads have under way.

See https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from contextlib import suppress
from typing import Any

#: Seconds that a fork waits for a transaction.
_PATIENCE = 5.0


class Connection(sqlite3.Connection):
    """A connection that forked children close. Hold ``using`` while a statement or a transaction is under way."""

    def __init__(self, database: Any, **keywords: Any) -> None:
        if str(database) in unusable:
            raise sqlite3.OperationalError(
                "this process was forked in the middle of a transaction; start a new process"
            )
        super().__init__(database, **keywords)
        self.database = str(database)
        self.using = threading.RLock()
        #: The changes of the transaction under way, for whoever listens to the catalog.
        self.told: list[dict[str, Any]] = []
        _opened[id(self)] = self

    def __del__(self) -> None:
        # A thread that ends leaves its connection to the garbage collector, of which Python 3.13 warns.
        with suppress(sqlite3.Error):  # it could not be opened
            self.close()


_opened: weakref.WeakValueDictionary[int, Connection] = weakref.WeakValueDictionary()
_held: list[Connection] = []
_busy: list[Connection] = []
#: Databases that could not be closed in this process, which was forked while another thread was at work in them.
unusable: set[str] = set()


def _before() -> None:
    for reference in _opened.valuerefs():  # one step: other threads may be opening connections
        connection = reference()
        if connection is not None:
            (_held if connection.using.acquire(timeout=_PATIENCE) else _busy).append(connection)


def _after_in_parent() -> None:
    _busy.clear()
    while _held:
        _held.pop().using.release()


def _after_in_child() -> None:
    unusable.update(connection.database for connection in _busy)
    for connection in _held:
        with suppress(sqlite3.Error):
            connection.close()
    _after_in_parent()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
