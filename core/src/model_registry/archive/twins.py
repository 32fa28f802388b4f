"""Where tensors lie that have the same bytes, in whatever version of whatever model.

A tensor is looked up by its size and a few samples of its bytes; whether one that is found has all of them is for the
caller to compare. Only a memory, in a small SQLite file: losing it costs looking again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from model_registry.forks import Connection
from model_registry.records import TensorRecord
from model_registry.records.archive import Span

#: Smaller tensors are not worth a row.
LEAST = 16 << 10
_SAMPLES, _SAMPLE = 8, 64
_MOST_FOUND = 4
_TABLES = """
    CREATE TABLE IF NOT EXISTS tensors (
        key BLOB NOT NULL, sha256 BLOB NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (key, sha256, start)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS looked_at (sha256 BLOB PRIMARY KEY) WITHOUT ROWID;
"""

Read = Callable[[int, int], "bytes | bytearray | memoryview"]


class Twins:
    """The memory in a file, for one thread. Where it cannot be kept, it lasts as long as this object."""

    def __init__(self, path: Path) -> None:
        try:
            if path.is_symlink():
                raise sqlite3.OperationalError("a link, perhaps to the database of another program")
            self._db = _opened(path)
        except sqlite3.DatabaseError:
            with suppress(OSError):
                if not path.is_symlink():
                    path.unlink(missing_ok=True)
            self._db = _opened(":memory:")

    def close(self) -> None:
        """Let go of the file."""
        with suppress(sqlite3.Error):
            self._db.commit()
            self._db.close()

    def knows(self, sha256: str) -> bool:
        """Whether the tensors of a blob were noted."""
        found = self._db.execute("SELECT 1 FROM looked_at WHERE sha256 = ?", (bytes.fromhex(sha256),)).fetchone()
        return found is not None

    def note(self, sha256: str, tensors: Iterable[TensorRecord], read: Read) -> None:
        """Note where the tensors of a blob lie."""
        blob = bytes.fromhex(sha256)
        rows = [(_key(each, read), blob, each.offset, each.nbytes) for each in tensors if each.nbytes >= LEAST]
        with suppress(sqlite3.Error):
            self._db.executemany("INSERT OR IGNORE INTO tensors VALUES (?, ?, ?, ?)", rows)
            self._db.execute("INSERT OR IGNORE INTO looked_at VALUES (?)", (blob,))
            self._db.commit()

    def find(self, sha256: str, tensor: TensorRecord, read: Read) -> Iterator[Span]:
        """Places in other blobs that may hold the bytes of a tensor."""
        if tensor.nbytes < LEAST:
            return
        query = "SELECT sha256, start, size FROM tensors WHERE key = ? AND sha256 != ? LIMIT ?"
        values = (_key(tensor, read), bytes.fromhex(sha256), _MOST_FOUND)
        with suppress(sqlite3.Error):
            for blob, start, size in self._db.execute(query, values).fetchall():
                if (type(start), size) == (int, tensor.nbytes) and start >= 0 and len(blob) == 32:
                    yield Span(blob.hex(), start, size)


def _opened(path: Path | str) -> Connection:
    connection = Connection(path, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(_TABLES)
    return connection


def _key(tensor: TensorRecord, read: Read) -> bytes:
    state = hashlib.sha256(tensor.nbytes.to_bytes(8, "little"))
    step = (tensor.nbytes - _SAMPLE) // (_SAMPLES - 1)
    for index in range(_SAMPLES):
        state.update(read(tensor.offset + index * step, _SAMPLE))
    return state.digest()[:16]
