"""Which files were hashed in full, and what the filesystem said of them then.

Only a memory: losing it costs hashing again, so nothing here is synced, and a damaged file is thrown away.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from attrs import frozen

from model_registry.forks import Connection

#: A file changed within this many nanoseconds may change again without its time stamps telling (kernel ticks).
_SETTLING_NS = 50_000_000
#: The same on filesystems that count seconds, or every other one.
_SETTLING_COARSELY_NS = 2_000_000_000

_TABLE = """
    CREATE TABLE IF NOT EXISTS verified (
        sha256 BLOB PRIMARY KEY,
        device TEXT NOT NULL,
        inode TEXT NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        ctime_ns INTEGER NOT NULL
    ) WITHOUT ROWID
"""


@frozen
class Fingerprint:
    """What the filesystem says of a file. Any write, replacement or change of owner or links alters it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """:raises FileNotFoundError: if there is no such file, or something else has its name, such as a link."""
        stat = os.lstat(path)
        if not S_ISREG(stat.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a plain file", str(path))
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def is_settled(self) -> bool:
        """Whether the file last changed long enough ago for its time stamps to show the next change."""
        settling = _SETTLING_NS if self.ctime_ns % 1_000_000_000 else _SETTLING_COARSELY_NS
        return time.time_ns() - self.ctime_ns > settling


class Fingerprints:
    """Remembered fingerprints in a small SQLite file; in memory alone where that file cannot be written.

    Without a lock, which a fork could leave locked in the child: at worst two threads ask the same.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Fingerprint] = {}
        self._connection: Connection | None = None
        self._pid = -1

    def get(self, sha256: str) -> Fingerprint | None:
        if sha256 not in self._known:
            row = self._execute(
                "SELECT device, inode, size, mtime_ns, ctime_ns FROM verified WHERE sha256 = ?", bytes.fromhex(sha256)
            )
            with suppress(TypeError, ValueError):  # no row, or none that we wrote
                self._known[sha256] = Fingerprint(*map(int, row or ()))
        return self._known.get(sha256)

    def remember(self, sha256: str, fingerprint: Fingerprint) -> None:
        self._known[sha256] = fingerprint
        # SQLite's integers are signed; text holds any device number.
        values = (str(fingerprint.device), str(fingerprint.inode), fingerprint.size)
        times = (fingerprint.mtime_ns, fingerprint.ctime_ns)
        self._execute("REPLACE INTO verified VALUES (?, ?, ?, ?, ?, ?)", bytes.fromhex(sha256), *values, *times)

    def forget(self, sha256: str) -> None:
        self._known.pop(sha256, None)
        self._execute("DELETE FROM verified WHERE sha256 = ?", bytes.fromhex(sha256))

    def _execute(self, statement: str, *values: object) -> tuple[str | int, ...] | None:
        """Run one statement; a failure only means that nothing is remembered."""
        try:
            connection = self._connect()
            with connection.using:
                row: tuple[str | int, ...] | None = connection.execute(statement, values).fetchone()
            return row
        except sqlite3.DatabaseError as error:
            self._connection = None
            if "malformed" in str(error) or "not a database" in str(error):
                with suppress(OSError):
                    for leftover in ("", "-wal", "-shm"):
                        self._path.with_name(self._path.name + leftover).unlink(missing_ok=True)
            return None

    def _connect(self) -> Connection:
        if self._connection is None or self._pid != os.getpid():
            if self._path.is_symlink():
                raise sqlite3.OperationalError("a link, perhaps to the database of another program")
            connection = Connection(self._path, isolation_level=None, check_same_thread=False, timeout=5)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_TABLE)
            self._connection, self._pid = connection, os.getpid()
        return self._connection
