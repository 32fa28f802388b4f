"""Writing a version into the tables, with all that it is found by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from model_registry.catalog import VersionRow
from model_registry.catalog.lineage import declare
from model_registry.catalog.packing import pack
from model_registry.catalog.rows import IS_DIGEST, SELECT, VISIBLE, one
from model_registry.catalog.searchable import note_labels, note_metrics
from model_registry.catalog.words import WORD, note_words
from model_registry.errors import InvalidNameError, VersionExistsError
from model_registry.names import name_key
from model_registry.versions import is_prerelease, sort_key

_RAISE_HIGHEST = "UPDATE models SET highest = ?, highest_key = ? WHERE id = ? AND coalesce(highest_key, '') < ?"
#: A blob's id by its digest: the index has the first six bytes, which tell it from nearly all others.
BLOB = "SELECT id FROM blobs WHERE substr(sha256, 1, 6) = substr(:sha256, 1, 6) AND sha256 = :sha256"


def insert(db: sqlite3.Connection, row: VersionRow) -> tuple[int, int]:
    """Write a visible version, with all that is searched by; its model's id, and its own.

    :raises VersionExistsError: if the model has a visible version that is equal by PEP 440.
    :raises InvalidNameError: if the model exists under a name that differs by case.
    """
    model_id = _model_id(db, row.name)
    version_id = _insert_version(db, model_id, row)
    raise_highest(db, model_id, row.version)
    insert_blobs(db, version_id, row.blobs)
    note_metrics(db, version_id, row.metrics)
    note_labels(db, version_id, row.labels)
    declare(db, version_id, row.parents)
    return model_id, version_id


def raise_highest(db: sqlite3.Connection, model_id: int, version: str) -> None:
    """Note that a model had this version: a number is never given twice."""
    key = sort_key(version)
    db.execute(_RAISE_HIGHEST, (version, key, model_id, key))


def known_model(db: sqlite3.Connection, name: str) -> int:
    """The id of a model, noted if it is new, in whichever case its name is."""
    db.execute("INSERT OR IGNORE INTO models (name, key) VALUES (?, ?)", (name, name_key(name)))
    found: int = db.execute("SELECT id FROM models WHERE key = ?", (name_key(name),)).fetchone()[0]
    return found


def _model_id(db: sqlite3.Connection, name: str) -> int:
    key = name_key(name)
    db.execute("INSERT OR IGNORE INTO models (name, key) VALUES (?, ?)", (name, key))
    id, known_as = db.execute("SELECT id, name FROM models WHERE key = ?", (key,)).fetchone()
    if known_as != name:
        has_versions = db.execute("SELECT 1 FROM versions WHERE model_id = ? LIMIT 1", (id,)).fetchone()
        if has_versions:
            raise InvalidNameError(
                f"model {name!r}: a model {known_as!r} exists, and names that differ only by case are one name",
                hint=f"use {known_as!r}",
                value=name,
            )
        db.execute("UPDATE models SET name = ? WHERE id = ?", (name, id))
    found: int = id
    return found


def _insert_version(db: sqlite3.Connection, model_id: int, row: VersionRow) -> int:
    note_words(db, row.format, row.model_type)
    try:
        inserted = db.execute(
            "INSERT INTO versions (model_id, version, sort_key, prerelease, digest, format, model_type, size, metadata,"
            f" registered_at) VALUES (?, ?, ?, ?, ?, {WORD}, {WORD}, ?, ?, ?)",
            (
                model_id,
                row.version,
                sort_key(row.version),
                is_prerelease(row.version),
                bytes.fromhex(row.digest),
                row.format,
                row.model_type,
                row.size,
                pack(row.metadata),
                row.registered_at,
            ),
        )
    except sqlite3.IntegrityError:
        raise exists(db, row.name, row.version, "versions are immutable: register another version") from None
    return inserted.lastrowid or 0  # never None after an INSERT, which its type cannot say


def exists(db: sqlite3.Connection, name: str, version: str, hint: str) -> VersionExistsError:
    """What to raise for a version that is visible."""
    existing = one(db, f"{SELECT} WHERE {VISIBLE} AND v.sort_key = ?", name_key(name), sort_key(version))
    assert existing is not None  # noqa: S101  # the constraint that was broken says so
    same = "" if existing.version == version else f" as {existing.version}, which PEP 440 calls equal"
    return VersionExistsError(
        f"{name}:{version} is registered already{same}",
        hint=hint,
        model=name,
        version=existing.version,
        digest=existing.digest,
    )


def insert_blobs(db: sqlite3.Connection, version_id: int, blobs: Iterable[tuple[str, int, str]]) -> None:
    """Note that a version needs these blobs (sha256, size, path)."""
    used = [{"sha256": bytes.fromhex(sha256), "size": size, "path": path} for sha256, size, path in blobs]
    note_words(db, *(path for _, _, path in blobs))
    db.executemany(f"INSERT INTO blobs (sha256, size) SELECT :sha256, :size WHERE NOT EXISTS ({BLOB})", used)
    db.executemany(
        "INSERT OR IGNORE INTO version_blobs (version_id, blob_id, path)"
        f" VALUES (:version, ({BLOB}), (SELECT id FROM words WHERE word = :path))",
        [{**each, "version": version_id} for each in used],
    )


def blobs_of(db: sqlite3.Connection, version_id: int) -> tuple[tuple[str, int, str], ...]:
    """(sha256, size, path) of what a version needs."""
    query = f"""
        SELECT lower(hex(b.sha256)), b.size, (SELECT word FROM words WHERE id = vb.path)
        FROM version_blobs vb JOIN blobs b ON b.id = vb.blob_id
        WHERE vb.version_id = ? AND {IS_DIGEST} ORDER BY b.sha256
    """
    return tuple(db.execute(query, (version_id,)))
