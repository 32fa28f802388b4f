"""Making a catalog anew: from a backup that can be read, or from nothing, in a file of its own.

Everything is one transaction of a database that nobody else sees; it becomes the registry's when it is complete.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from model_registry.catalog import VersionRow, actions
from model_registry.catalog.books import correct
from model_registry.catalog.connection import open_copy
from model_registry.catalog.history import insert_event
from model_registry.catalog.inserting import insert
from model_registry.catalog.replay import apply
from model_registry.durable import copy, new_file, sync_file
from model_registry.errors import StorageError
from model_registry.names import name_key
from model_registry.plain_files import open_plain
from model_registry.versions import sort_key

_ROWS = """
    SELECT v.id, m.name, v.version, lower(hex(v.digest)), v.registered_at, v.removed_at
    FROM versions v JOIN models m ON m.id = v.model_id
"""
_NAMED = f"{_ROWS} WHERE m.key = ? AND v.sort_key = ?"


@frozen
class KnownRow:
    """A version as the new catalog has it so far; times in microseconds."""

    id: int
    name: str
    version: str
    digest: str
    registered_at: int
    removed_at: int | None


@contextmanager
def rebuilding(target: Path, base: Path | None) -> Iterator[Rebuilding]:
    """The new catalog in ``target``, which is complete and synced when the block ends.

    :param base: A backup to begin with.
    :raises StorageError: if that backup cannot be read, is damaged, or is no catalog.
    """
    if base is not None:
        _copy(base, target)
    with closing(open_copy(target, is_new=base is None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
            yield Rebuilding(db)
            db.execute("DELETE FROM leases")  # of processes that knew another catalog
            db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            is_full = "full" in str(error)
            hint = "free some space; nothing was changed" if is_full else "check the disk"
            raise StorageError(f"the new catalog cannot be written: {error}", hint=hint, full=is_full) from error
    sync_file(target)


def _copy(base: Path, target: Path) -> None:
    with open_plain(base) as source, new_file(target) as copied:
        copy(source, copied)


class Rebuilding:
    """The new catalog while it is written."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def rows(self) -> list[KnownRow]:
        """Every version that it has, removed ones included."""
        return [KnownRow(*row) for row in self._db.execute(f"{_ROWS} ORDER BY v.id")]

    def last_event(self) -> int:
        """The id of the last change that it knows."""
        found = self._db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        return int(found[0])

    def forgotten(self) -> dict[str, int]:
        """When versions were forgotten, by digest."""
        query = """
            SELECT before, max(at) FROM events
            WHERE action = (SELECT id FROM words WHERE word = 'forgotten') GROUP BY before
        """
        return {_digest(before): at for before, at in self._db.execute(query)}

    def named(self, name: str, version: str) -> list[KnownRow]:
        """The versions of this name: the visible one, then those that were removed, the last one first."""
        values = (name_key(name), sort_key(version))
        visible = self._db.execute(f"{_NAMED} AND v.removed_at IS NULL", values).fetchall()
        removed = self._db.execute(f"{_NAMED} AND v.removed_at IS NOT NULL ORDER BY v.removed_at DESC", values)
        return [KnownRow(*row) for row in (*visible, *removed)]

    def drop(self, row: KnownRow) -> None:
        """Take a version away, of which there is no manifest."""
        self._db.execute("DELETE FROM versions WHERE id = ?", (row.id,))

    def correct(self, row: KnownRow, told: VersionRow) -> None:
        """Let the manifest and documents have the last word."""
        correct(self._db, row.id, told)

    def hide(self, row: KnownRow, at: int) -> None:
        """Make a version a removed one, which can be restored."""
        self._db.execute("UPDATE versions SET removed_at = ? WHERE id = ?", (at, row.id))

    def show(self, row: KnownRow) -> None:
        """Make a version a visible one."""
        self._db.execute("UPDATE versions SET removed_at = NULL WHERE id = ?", (row.id,))

    def register(self, row: VersionRow, actor: str, event: int | None) -> KnownRow:
        """Add a version, as the visible one of its number.

        :param event: The id of the change.
        :raises InvalidNameError: if its model is there under a name that differs by case.
        """
        model_id, version_id = insert(self._db, row)
        insert_event(self._db, event, row.registered_at, actor, actions.REGISTERED, model_id, row.version)
        return KnownRow(version_id, row.name, row.version, row.digest, row.registered_at, None)

    def apply(self, change: Mapping[str, Any]) -> None:
        """Make a change that was noted since the backup."""
        apply(self._db, change)


def _digest(before: str) -> str:
    import json

    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(before)["digest"])
    return ""
