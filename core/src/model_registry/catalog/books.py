"""Whether the catalog's books of a version say what its documents say, and making them say so."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator

from model_registry.catalog import VersionRow
from model_registry.catalog.inserting import blobs_of, insert_blobs
from model_registry.catalog.lineage import declare
from model_registry.catalog.packing import pack
from model_registry.catalog.rows import SELECT, row_of
from model_registry.catalog.searchable import note_labels, note_metrics, searchable
from model_registry.catalog.words import WORD, note_words
from model_registry.versions import is_prerelease, sort_key

#: (sha256, size, path)
Blob = tuple[str, int, str]

ROW, REFERENCES, INDEX = "row-differs", "references-missing", "index-differs"

_RIGHT_SIZE = """
    UPDATE blobs SET size = ?1 WHERE substr(sha256, 1, 6) = substr(?2, 1, 6) AND sha256 = ?2 AND size != ?1
"""


def differences(db: sqlite3.Connection, version_id: int, told: VersionRow) -> Iterator[tuple[str, str]]:
    """(code, what differs) of a version's row, references and indexes.

    :param told: The row as its manifest and documents tell it.
    """
    found = row_of(db.execute(f"{SELECT} WHERE v.id = ?", (version_id,)).fetchone())
    for what in ("version", "format", "model_type", "size", "metadata"):
        if getattr(found, what) != getattr(told, what):
            name = "metadata document" if what == "metadata" else what
            yield ROW, f"the catalog has another {name} than the manifest"
    keys = db.execute("SELECT sort_key, prerelease FROM versions WHERE id = ?", (version_id,)).fetchone()
    if keys != (sort_key(told.version), is_prerelease(told.version)):
        yield ROW, "the catalog sorts it elsewhere than its version belongs"
    yield from _differing_references(blobs_of(db, version_id), told)
    if _metrics(db, version_id) != searchable(told.metrics):
        yield INDEX, "it is found by other metrics than it has"
    if _labels(db, version_id) != set(told.labels):
        yield INDEX, "it is found by other tags than it was registered with"
    if _parents(db, version_id) != {(p.relation, p.name, p.version or "", p.digest or "") for p in told.parents}:
        yield INDEX, "the catalog names other parents than the manifest"


def _differing_references(known: Iterable[Blob], told: VersionRow) -> Iterator[tuple[str, str]]:
    referenced = {sha256: size for sha256, size, _ in known}
    needed = {sha256: size for sha256, size, _ in told.blobs}
    missing = sum(sha256 not in referenced for sha256 in needed)
    if missing:
        yield REFERENCES, f"the catalog does not know that it needs {missing} of its blobs"
    if any(referenced.get(sha256, size) != size for sha256, size in needed.items()):
        yield ROW, "the catalog has other sizes of its blobs"
    if not missing and _paths(known, needed) != _paths(told.blobs, needed):
        yield INDEX, "its files are found by other paths than they have"


def _paths(blobs: Iterable[Blob], needed: Collection[str]) -> set[tuple[str, str]]:
    return {(sha256, path) for sha256, _, path in blobs if sha256 in needed}


def correct(db: sqlite3.Connection, version_id: int, told: VersionRow) -> None:
    """Make the books say what the documents say. What changed since registering, and is in no document, stays."""
    note_words(db, told.format, told.model_type)
    db.execute(
        f"UPDATE versions SET version = ?, sort_key = ?, prerelease = ?, format = {WORD}, model_type = {WORD},"
        " size = ?, metadata = ? WHERE id = ?",
        (
            told.version,
            sort_key(told.version),
            is_prerelease(told.version),
            told.format,
            told.model_type,
            told.size,
            pack(told.metadata),
            version_id,
        ),
    )
    _correct_references(db, version_id, told)
    db.execute("DELETE FROM metrics WHERE version_id = ?", (version_id,))
    note_metrics(db, version_id, told.metrics)
    db.execute("DELETE FROM labels WHERE version_id = ?", (version_id,))
    note_labels(db, version_id, told.labels)
    db.execute("DELETE FROM edges WHERE child_id = ? AND declared", (version_id,))
    declare(db, version_id, told.parents)


def _correct_references(db: sqlite3.Connection, version_id: int, told: VersionRow) -> None:
    for sha256, size, _ in told.blobs:
        db.execute(_RIGHT_SIZE, (size, bytes.fromhex(sha256)))
    known, needed = blobs_of(db, version_id), {sha256 for sha256, _, _ in told.blobs}
    if _paths(known, needed) != _paths(told.blobs, needed):
        # What the catalog knows beyond that stays: it may be a record of the registration that cannot be read now.
        more = [blob for blob in known if blob[0] not in needed]
        db.execute("DELETE FROM version_blobs WHERE version_id = ?", (version_id,))
        insert_blobs(db, version_id, [*told.blobs, *more])


def _metrics(db: sqlite3.Connection, version_id: int) -> dict[str, float]:
    query = "SELECT (SELECT word FROM words WHERE id = name), value FROM metrics WHERE version_id = ?"
    return dict(db.execute(query, (version_id,)))


def _labels(db: sqlite3.Connection, version_id: int) -> set[str]:
    query = "SELECT (SELECT word FROM words WHERE id = labels.word) FROM labels WHERE version_id = ?"
    return {word for (word,) in db.execute(query, (version_id,))}


def _parents(db: sqlite3.Connection, version_id: int) -> set[tuple[str, str, str, str]]:
    query = """
        SELECT (SELECT word FROM words WHERE id = relation), parent, version, lower(hex(digest))
        FROM edges WHERE child_id = ? AND declared
    """
    return set(db.execute(query, (version_id,)))
