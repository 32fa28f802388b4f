"""Which versions were read and compared with their digests, when, and whether every byte was as registered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from model_registry_server.security import moments
from model_registry_server.state import State

_TABLE = """
CREATE TABLE IF NOT EXISTS verified (
    digest TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    intact INTEGER NOT NULL
) WITHOUT ROWID"""


@frozen
class Verification:
    """What was found when a version was read last."""

    at: datetime
    intact: bool


class Verified:
    """The table of them. Safe to use from several threads.

    :param state: Where the table is, or is made.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        state.create(_TABLE)

    def note(self, digest: str, *, intact: bool) -> None:
        """What was found just now of the version with a digest; what was found before is forgotten."""
        values = (digest, moments.microseconds(moments.now()), intact)
        with self._state.writing() as db:
            db.execute("REPLACE INTO verified (digest, at, intact) VALUES (?, ?, ?)", values)

    def note_all(self, read: Mapping[str, bool], *, since: datetime) -> None:
        """What was found of some of many versions that are read one after the other: all of it is noted, or nothing.

        What was noted of others before stays noted, also if the reading fails later or is cancelled.

        Where one of them was read by itself meanwhile, nobody knows what came last: damage is told, whoever found it.

        :param read: Whether each is intact, by digest.
        :param since: When the reading of all was begun, such as the start of the job that does it.
        """
        at = moments.microseconds(since)
        with self._state.writing() as db:
            db.executemany(
                "INSERT INTO verified (digest, at, intact) VALUES (?, ?, ?) ON CONFLICT (digest)"
                " DO UPDATE SET at = excluded.at, intact = excluded.intact"
                " WHERE excluded.at >= verified.at OR NOT excluded.intact",
                [(digest, at, intact) for digest, intact in read.items()],
            )

    def last(self, digest: str) -> Verification | None:
        """What was found when the version was read last; None if it never was."""
        with self._state.reading() as db:
            row = db.execute("SELECT at, intact FROM verified WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else Verification(moments.moment(row["at"]), bool(row["intact"]))
