"""What is remembered of uploads under way. How much of a file has come is not: its size on the disk tells that."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timezone

from attrs import frozen

from model_registry_server.errors import TooManyRequestsError
from model_registry_server.state import State
from model_registry_server.transfer.errors import UploadNotFoundError

_TABLES = (
    "CREATE TABLE IF NOT EXISTS uploads ("
    " id TEXT PRIMARY KEY, owner TEXT NOT NULL, created_at TEXT NOT NULL, touched_at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS upload_files ("
    " upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, number INTEGER NOT NULL, path TEXT NOT NULL,"
    " size INTEGER, sha256 TEXT, received_size INTEGER, received_sha256 TEXT, PRIMARY KEY (upload, number))",
    "CREATE INDEX IF NOT EXISTS uploads_of_owners ON uploads (owner)",
)

_COUNT_FILES = "SELECT count(*) FROM upload_files WHERE upload IN (SELECT id FROM uploads WHERE owner = ?)"


@frozen
class Announced:
    """A file that a client says it will send.

    :param path: Its place in the model. Checked by whoever creates the upload.
    :param size: In bytes; None if the client does not know it yet.
    :param sha256: In hex; None if the client does not know it.
    """

    path: str
    size: int | None = None
    sha256: str | None = None


@frozen
class FileRow:
    """An announced file; of one that has come whole, also what it is."""

    number: int
    announced: Announced
    received_size: int | None
    received_sha256: str | None


@frozen
class UploadRow:
    """An upload."""

    id: str
    owner: str
    created_at: datetime
    touched_at: datetime
    files: tuple[FileRow, ...]


class UploadTable:
    """The tables. They are asked from threads, since a transaction waits for the disk."""

    def __init__(self, state: State) -> None:
        self._state = state
        state.create(*_TABLES)

    def add(self, upload_id: str, owner: str, files: Sequence[Announced], most: int, most_files: int) -> None:
        """:raises TooManyRequestsError: The owner has so many already, or so many files in them."""
        now = _now()
        rows = [(upload_id, number, file.path, file.size, file.sha256) for number, file in enumerate(files)]
        with self._state.writing() as db:
            (count,) = db.execute("SELECT count(*) FROM uploads WHERE owner = ?", (owner,)).fetchone()
            if count >= most:
                hint = "finish or discard some; GET …/uploads/{id} tells how far one has come"
                raise TooManyRequestsError(f"you have {count} uploads under way", hint=hint, retry_after=60)
            (count,) = db.execute(_COUNT_FILES, (owner,)).fetchone()
            if count + len(files) > most_files:
                hint = "finish or discard some, or announce fewer files"
                message = f"your uploads under way have {count:,} files, of at most {most_files:,}"
                raise TooManyRequestsError(message, hint=hint, retry_after=60)
            db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?)", (upload_id, owner, now, now))
            db.executemany("INSERT INTO upload_files VALUES (?, ?, ?, ?, ?, NULL, NULL)", rows)

    def get(self, upload_id: str) -> UploadRow:
        """:raises UploadNotFoundError: There is none."""
        with self._state.reading() as db:
            upload = _found(db, upload_id)
            files = db.execute("SELECT * FROM upload_files WHERE upload = ? ORDER BY number", (upload_id,)).fetchall()
        created_at, touched_at = (datetime.fromisoformat(upload[name]) for name in ("created_at", "touched_at"))
        return UploadRow(upload["id"], upload["owner"], created_at, touched_at, tuple(map(_file, files)))

    def owner(self, upload_id: str) -> str:
        """:raises UploadNotFoundError: There is no such upload."""
        with self._state.reading() as db:
            return str(_found(db, upload_id)["owner"])

    def file(self, upload_id: str, number: int) -> FileRow:
        """One file, found without the others, of which there may be thousands.

        :raises UploadNotFoundError: There is no such upload, or no such file in it.
        """
        with self._state.reading() as db:
            query = "SELECT * FROM upload_files WHERE upload = ? AND number = ?"
            row = db.execute(query, (upload_id, number)).fetchone()
            if row is None:
                _found(db, upload_id)
                query = "SELECT count(*) FROM upload_files WHERE upload = ?"
                (count,) = db.execute(query, (upload_id,)).fetchone()
                message = f"upload {upload_id} has no file {number}"
                raise UploadNotFoundError(message, hint=f"it has {count}", upload=upload_id, number=number)
        return _file(row)

    def ids(self) -> list[str]:
        """Of all uploads."""
        with self._state.reading() as db:
            rows = db.execute("SELECT id FROM uploads").fetchall()
        return [row["id"] for row in rows]

    def untouched_since(self, moment: datetime) -> list[str]:
        with self._state.reading() as db:
            rows = db.execute("SELECT id FROM uploads WHERE touched_at < ?", (_text(moment),)).fetchall()
        return [row["id"] for row in rows]

    def touch(self, upload_id: str) -> None:
        with self._state.writing() as db:
            db.execute("UPDATE uploads SET touched_at = ? WHERE id = ?", (_now(), upload_id))

    def complete(self, upload_id: str, number: int, size: int, sha256: str) -> None:
        """A file has come whole and is on the disk."""
        with self._state.writing() as db:
            db.execute(
                "UPDATE upload_files SET received_size = ?, received_sha256 = ? WHERE upload = ? AND number = ?",
                (size, sha256, upload_id, number),
            )
            db.execute("UPDATE uploads SET touched_at = ? WHERE id = ?", (_now(), upload_id))

    def complete_empty(self, upload_id: str, sha256: str) -> None:
        """All files of no bytes have come."""
        with self._state.writing() as db:
            db.execute(
                "UPDATE upload_files SET received_size = 0, received_sha256 = ? WHERE upload = ? AND size = 0",
                (sha256, upload_id),
            )

    def remove(self, upload_id: str) -> bool:
        """Returns whether it was there."""
        with self._state.writing() as db:
            return db.execute("DELETE FROM uploads WHERE id = ?", (upload_id,)).rowcount > 0


def _found(db: sqlite3.Connection, upload_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute("SELECT * FROM uploads WHERE id = ?", (upload_id,)).fetchone()
    if row is None:
        message = f"there is no upload {upload_id[:40]!r}"
        raise UploadNotFoundError(message, hint="it has ended or expired; begin another", upload=upload_id)
    return row


def _file(row: sqlite3.Row) -> FileRow:
    announced = Announced(row["path"], row["size"], row["sha256"])
    return FileRow(row["number"], announced, row["received_size"], row["received_sha256"])


def _now() -> str:
    return _text(datetime.now(timezone.utc))


def _text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")  # all of one length, so that they sort
