"""Which versions uploads became: a client to which the answer was lost asks again, and gets the same one."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from model_registry_server.state import State

_TABLE = """
CREATE TABLE IF NOT EXISTS upload_outcomes (
    upload TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID"""


class Outcomes:
    """The table of them. Its methods wait for the disk: call them from a thread."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._unwritten: dict[tuple[str, str], tuple[str, str]] = {}
        state.create(_TABLE)

    def note(self, upload: str, owner: str, name: str, version: str) -> None:
        """An upload has become a version. As long as that cannot be written, it is remembered."""
        self._unwritten[upload, owner] = name, version
        self._write()

    def of(self, upload: str, owner: str) -> tuple[str, str] | None:
        """Name and number of the version that an owner's upload became; None if it became none."""
        if (upload, owner) in self._unwritten:
            return self._unwritten[upload, owner]
        query = "SELECT name, version FROM upload_outcomes WHERE upload = ? AND owner = ?"
        with self._state.reading() as db:
            row = db.execute(query, (upload, owner)).fetchone()
        return None if row is None else (row["name"], row["version"])

    def forget(self, hours: float) -> None:
        """Forget those of uploads that ended so many hours ago."""
        self._write()
        before = datetime.now(timezone.utc) - timedelta(hours=hours)
        with self._state.writing() as db:
            db.execute("DELETE FROM upload_outcomes WHERE at < ?", (_text(before),))

    def _write(self) -> None:
        """Write what is remembered, also what the disk did not take before."""
        at, known = _text(datetime.now(timezone.utc)), dict(self._unwritten)
        rows = [(upload, owner, name, version, at) for (upload, owner), (name, version) in known.items()]
        with self._state.writing() as db:
            db.executemany("REPLACE INTO upload_outcomes VALUES (?, ?, ?, ?, ?)", rows)
        for key in known:
            self._unwritten.pop(key, None)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")  # all of one length, so that they sort
