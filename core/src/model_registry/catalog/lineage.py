"""Lineage in SQLite: what each version comes from, found from both ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from model_registry.catalog import VersionRow, actions
from model_registry.catalog.connection import Connections
from model_registry.catalog.facts import VersionKey
from model_registry.catalog.history import record
from model_registry.catalog.rows import COLUMNS, SELECT, id_of, one, row_of, visible_id
from model_registry.catalog.words import WORD, note_words
from model_registry.names import name_key
from model_registry.records import Parent
from model_registry.versions import sort_key

_INSERT = f"""
    INSERT INTO edges (child_id, relation, parent, version, digest, declared) VALUES (?, {WORD}, ?, ?, ?, ?)
    ON CONFLICT DO
"""
_NEWEST = "ORDER BY v.removed_at IS NOT NULL, v.removed_at DESC LIMIT 1"


def declare(db: sqlite3.Connection, child_id: int, parents: Iterable[Parent]) -> None:
    """Note what a version's manifest says that it comes from."""
    for parent in parents:  # one that was linked before is the manifest's from now on
        _insert(db, child_id, parent, declared=True, otherwise="UPDATE SET digest = excluded.digest, declared = TRUE")


class SqliteLineage:
    """See :class:`model_registry.catalog.facts.Lineage`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def parents(self, version: VersionKey) -> list[Parent]:
        query = """
            SELECT (SELECT word FROM words WHERE id = relation) AS relation, parent, version, lower(hex(digest))
            FROM edges WHERE child_id = ? ORDER BY declared DESC, relation, parent, version
        """
        with self._connections.reading() as db:
            rows = db.execute(query, (id_of(db, version),)).fetchall()
        return [Parent(relation, name, version or None, digest or None) for relation, name, version, digest in rows]

    def children(self, digest: str) -> list[tuple[str, VersionRow]]:
        query = f"""
            SELECT (SELECT word FROM words WHERE id = e.relation), {COLUMNS} FROM edges e
            JOIN versions v ON v.id = e.child_id JOIN models m ON m.id = v.model_id
            WHERE e.digest = ? ORDER BY m.key, v.sort_key
        """
        with self._connections.reading() as db:
            return [(relation, row_of(row)) for relation, *row in db.execute(query, (bytes.fromhex(digest),))]

    def find(self, digest: str, name: str, version: str) -> VersionRow | None:
        query = f"{SELECT} WHERE m.key = ? AND v.sort_key = ? AND v.digest = ? {_NEWEST}"
        with self._connections.reading() as db:
            return one(db, query, name_key(name), sort_key(version), bytes.fromhex(digest))

    def link(self, name: str, version: str, parent: Parent) -> None:
        with self._connections.writing(durable=True) as db:
            id, model, registered_as = visible_id(db, name, version)
            if link(db, id, parent):
                record(db, actions.LINKED, model, registered_as, parent.relation, after=_told(parent))

    def unlink(self, name: str, version: str, parent: Parent) -> bool:
        with self._connections.writing(durable=True) as db:
            id, model, registered_as = visible_id(db, name, version)
            is_gone = unlink(db, id, parent)
            if is_gone:
                record(db, actions.UNLINKED, model, registered_as, parent.relation, before=_told(parent))
            return is_gone


def link(db: sqlite3.Connection, child_id: int, parent: Parent) -> bool:
    """Note a parent that no manifest names; False if it is noted already."""
    return _insert(db, child_id, parent, declared=False, otherwise="NOTHING")


def unlink(db: sqlite3.Connection, child_id: int | None, parent: Parent) -> bool:
    """Take a link back; False if there is none, or it is the manifest's."""
    query = (
        f"DELETE FROM edges WHERE child_id = ? AND relation = {WORD} AND parent = ? AND version = ? AND NOT declared"
    )
    return bool(db.execute(query, (child_id, parent.relation, parent.name, parent.version or "")).rowcount)


def _insert(db: sqlite3.Connection, child_id: int, parent: Parent, *, declared: bool, otherwise: str) -> bool:
    note_words(db, parent.relation)
    digest = None if parent.digest is None else bytes.fromhex(parent.digest)
    values = (child_id, parent.relation, parent.name, parent.version or "", digest, declared)
    return bool(db.execute(f"{_INSERT} {otherwise}", values).rowcount)


def _told(parent: Parent) -> dict[str, str]:
    told = {"name": parent.name, "version": parent.version, "digest": parent.digest}
    return {key: value for key, value in told.items() if value is not None}
