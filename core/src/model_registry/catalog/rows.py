"""How versions are read from the tables: one SELECT, one way to make a row of what it gives."""

from __future__ import annotations

import sqlite3
from typing import Any

from model_registry.catalog import VersionRow
from model_registry.catalog.facts import VersionKey
from model_registry.catalog.packing import unpack
from model_registry.errors import ModelNotFoundError, VersionNotFoundError
from model_registry.names import name_key
from model_registry.versions import sort_key

COLUMNS = """
    m.name, v.version, lower(hex(v.digest)), (SELECT word FROM words WHERE id = v.format),
    (SELECT word FROM words WHERE id = v.model_type), v.size, v.metadata, v.registered_at, v.removed_at, v.description
"""
SELECT = f"SELECT {COLUMNS} FROM versions v JOIN models m ON m.id = v.model_id"
#: The same, by name: CROSS JOIN keeps SQLite from starting with all versions, which it would then have to sort.
SELECT_BY_NAME = f"SELECT {COLUMNS} FROM models m CROSS JOIN versions v ON m.id = v.model_id"
#: What a blob's digest is, unless somebody forged its row.
IS_DIGEST = "typeof(b.sha256) = 'blob' AND length(b.sha256) = 32"
VISIBLE = "m.key = ? AND v.removed_at IS NULL"


def row_of(values: Any) -> VersionRow:
    """The row that ``COLUMNS`` gave. A damaged document is empty in it, for whoever needs it to say so."""
    name, version, digest, format, model_type, size, packed, registered_at, removed_at, description = values
    try:
        document = unpack(packed)
    except (ValueError, TypeError):
        document = ""
    return VersionRow(name, version, digest, format, model_type, size, document, registered_at, removed_at, description)


def one(db: sqlite3.Connection, query: str, *values: object) -> VersionRow | None:
    """The only row of a query of ``COLUMNS``, if there is one."""
    found = db.execute(query, values).fetchone()
    return found and row_of(found)


def visible_id(db: sqlite3.Connection, name: str, version: str) -> tuple[int, int, str]:
    """(id of the version, id of its model, the version as registered).

    :raises VersionNotFoundError: if it is not visible.
    """
    query = f"SELECT v.id, m.id, v.version FROM versions v JOIN models m ON m.id = v.model_id WHERE {VISIBLE}"
    found = db.execute(f"{query} AND v.sort_key = ?", (name_key(name), sort_key(version))).fetchone()
    if found is None:
        raise VersionNotFoundError(
            f"model {name!r} has no version {version!r}",
            hint=f"«model-registry list {name}» shows those it has",
            model=name,
            version=version,
        )
    id, model_id, registered_as = found
    return id, model_id, registered_as


def model_id(db: sqlite3.Connection, name: str) -> int:
    """The id of a model that has visible versions.

    :raises ModelNotFoundError: if it has none.
    """
    query = f"SELECT m.id FROM models m JOIN versions v ON m.id = v.model_id WHERE {VISIBLE} LIMIT 1"
    found = db.execute(query, (name_key(name),)).fetchone()
    if found is None:
        raise ModelNotFoundError(
            f"there is no model {name!r}", hint="«model-registry list» shows all models", model=name
        )
    id: int = found[0]
    return id


def id_of(db: sqlite3.Connection, version: VersionKey) -> int | None:
    """The id of a version, visible or removed; None if it is gone."""
    query = """
        SELECT v.id FROM versions v JOIN models m ON m.id = v.model_id
        WHERE m.key = ? AND v.sort_key = ? AND v.digest = ? ORDER BY v.removed_at IS NOT NULL, v.removed_at DESC LIMIT 1
    """
    values = (name_key(version.name), sort_key(version.version), bytes.fromhex(version.digest))
    found = db.execute(query, values).fetchone()
    return found and int(found[0])
