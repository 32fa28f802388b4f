"""Tags and edited descriptions in SQLite."""

from __future__ import annotations

import sqlite3

from model_registry.catalog import actions
from model_registry.catalog.connection import Connections
from model_registry.catalog.facts import VersionKey
from model_registry.catalog.history import record
from model_registry.catalog.rows import id_of, model_id, visible_id
from model_registry.catalog.words import WORD, note_words
from model_registry.names import name_key

_SORTED = "SELECT word, value FROM {table} JOIN words ON words.id = {table}.key WHERE {owner} = ? ORDER BY word"
_OF_VERSION = _SORTED.format(table="version_tags", owner="version_id")
_OF_MODEL = _SORTED.format(table="model_tags", owner="model_id")


class SqliteTags:
    """See :class:`model_registry.catalog.facts.Tags`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def of_version(self, version: VersionKey) -> dict[str, str]:
        with self._connections.reading() as db:
            return dict(db.execute(_OF_VERSION, (id_of(db, version),)))

    def of_model(self, name: str) -> dict[str, str]:
        with self._connections.reading() as db:
            query = "SELECT id FROM models WHERE key = ?"
            return dict(db.execute(_OF_MODEL, db.execute(query, (name_key(name),)).fetchone() or (None,)))

    def set(self, name: str, version: str | None, key: str, value: str) -> None:
        with self._connections.writing(durable=True) as db:
            table, owner, id, model, said = _owner(db, name, version)
            before = _value(db, table, owner, id, key)
            if before == value:
                return
            note_words(db, key)
            db.execute(f"REPLACE INTO {table} ({owner}, key, value) VALUES (?, {WORD}, ?)", (id, key, value))
            record(db, actions.TAG_SET, model, said, key, before=before, after=value)

    def delete(self, name: str, version: str | None, key: str) -> bool:
        with self._connections.writing(durable=True) as db:
            table, owner, id, model, said = _owner(db, name, version)
            before = _value(db, table, owner, id, key)
            if before is None:
                return False
            db.execute(f"DELETE FROM {table} WHERE {owner} = ? AND key = {WORD}", (id, key))
            record(db, actions.TAG_DELETED, model, said, key, before=before)
            return True


class SqliteDescriptions:
    """See :class:`model_registry.catalog.facts.Descriptions`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def of_model(self, name: str) -> str | None:
        with self._connections.reading() as db:
            found = db.execute("SELECT description FROM models WHERE key = ?", (name_key(name),)).fetchone()
        text: str | None = found and found[0]
        return text

    def set(self, name: str, version: str | None, text: str | None) -> None:
        with self._connections.writing(durable=True) as db:
            _, _, id, model, said = _owner(db, name, version)
            table = "models" if version is None else "versions"
            before = db.execute(f"SELECT description FROM {table} WHERE id = ?", (id,)).fetchone()[0]
            if before != text:
                db.execute(f"UPDATE {table} SET description = ? WHERE id = ?", (text, id))
                record(db, actions.DESCRIBED, model, said, before=before, after=text)


def _owner(db: sqlite3.Connection, name: str, version: str | None) -> tuple[str, str, int, int, str | None]:
    """(table of tags, its column of the owner, the owner's id, the model's id, the version as registered)."""
    if version is None:
        model = model_id(db, name)
        return "model_tags", "model_id", model, model, None
    id, model, registered_as = visible_id(db, name, version)
    return "version_tags", "version_id", id, model, registered_as


def _value(db: sqlite3.Connection, table: str, owner: str, id: int, key: str) -> str | None:
    found = db.execute(f"SELECT value FROM {table} WHERE {owner} = ? AND key = {WORD}", (id, key)).fetchone()
    return found and str(found[0])
