"""Hiding versions, forgetting them, and freeing the blobs that nothing needs then."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from attrs import evolve

from model_registry.catalog import VersionRow, actions, aliases
from model_registry.catalog.facts import VersionKey
from model_registry.catalog.history import record
from model_registry.catalog.inserting import BLOB, blobs_of
from model_registry.catalog.rows import COLUMNS, id_of, row_of
from model_registry.clock import now
from model_registry.names import name_key
from model_registry.versions import sort_key

#: Of several removals of one version, only the newest can be restored.
_OLDER = """
    SELECT id FROM versions WHERE removed_at IS NOT NULL
        AND (model_id, sort_key) = (SELECT model_id, sort_key FROM versions WHERE id = ?)
"""
#: A version's id, its model's, and its row.
_WITH_IDS = f"SELECT v.id, m.id, {COLUMNS} FROM versions v JOIN models m ON m.id = v.model_id"
#: Blobs that are worth a thread of their own when they are deleted.
_EACH = 8


def matching(db: sqlite3.Connection, where: str, name: str, version: str | None) -> list[tuple[int, int, VersionRow]]:
    """(its id, its model's id, the row) of the versions of a model, or of one."""
    values = [name_key(name)]
    if version is not None:
        where += " AND v.sort_key = ?"
        values.append(sort_key(version))
    rows = db.execute(f"{_WITH_IDS} WHERE {where} ORDER BY v.sort_key, v.removed_at", values)
    return [(id, model_id, row_of(row)) for id, model_id, *row in rows.fetchall()]


def remove(db: sqlite3.Connection, found: list[tuple[int, int, VersionRow]], *, keep: bool) -> list[VersionRow]:
    """Hide what ``matching`` found, or forget it."""
    removed = []
    removed_at = now() if keep else None
    for id, model_id, row in found:
        needed = () if keep else blobs_of(db, id)
        if keep:
            forget(db, [older for (older,) in db.execute(_OLDER, (id,)).fetchall()])
            db.execute("UPDATE versions SET removed_at = ? WHERE id = ?", (removed_at, id))
        record(db, actions.REMOVED, model_id, row.version, at=removed_at)
        removed.append(evolve(row, removed_at=removed_at, blobs=needed))
    if not keep:
        forget(db, [id for id, _, _ in found])
    return removed


def forget(db: sqlite3.Connection, version_ids: list[int]) -> None:
    """Delete versions for good; what hangs on them goes with them, and the history keeps what they were."""
    query = "SELECT model_id, version, lower(hex(digest)) FROM versions WHERE id = ?"
    for id in version_ids:
        model_id, version, digest = db.execute(query, (id,)).fetchone()
        aliases.forget(db, id)
        record(db, actions.FORGOTTEN, model_id, version, before={"digest": digest})
        db.execute("DELETE FROM versions WHERE id = ?", (id,))


def collect(db: sqlite3.Connection, digests: Iterable[str], delete: Callable[[str], int]) -> list[int]:
    """Delete the blobs that nothing needs; the bytes of each."""
    from model_registry import workers  # threads, which listing does without

    garbage = [sha256 for sha256 in digests if not _is_needed(db, bytes.fromhex(sha256))]
    freed: list[int] = []
    # A file system waits more than it works when it deletes, but a few are gone before a thread has begun.
    threads = min(4, 1 + len(garbage) // _EACH)
    workers.share_out(lambda mine: freed.extend(map(delete, mine)), garbage, threads=threads)
    return freed


def needed_only_by(
    db: sqlite3.Connection, lease: str, digests: Iterable[str], versions: Iterable[VersionKey]
) -> list[str]:
    """Those of the blobs that these versions need and no others, and no lease but this one claims."""
    ids = [id for version in versions if (id := id_of(db, version)) is not None]
    return [sha256 for sha256 in digests if _is_needed_only_by(db, lease, bytes.fromhex(sha256), ids)]


def _is_needed_only_by(db: sqlite3.Connection, lease: str, sha256: bytes, ids: Sequence[int]) -> bool:
    others = "SELECT 1 FROM claims WHERE sha256 = ? AND lease_id != ?"
    found = db.execute(f"SELECT id, uses FROM blobs WHERE id = ({BLOB})", {"sha256": sha256}).fetchone()
    if found is None or db.execute(others, (sha256, lease)).fetchone():
        return False
    blob_id, uses = found
    count = "SELECT count(*) FROM version_blobs WHERE version_id = ? AND blob_id = ?"
    return bool(uses == sum(db.execute(count, (id, blob_id)).fetchone()[0] for id in ids))


def _is_needed(db: sqlite3.Connection, sha256: bytes) -> bool:
    query = f"SELECT EXISTS (SELECT 1 FROM claims WHERE sha256 = :sha256) OR EXISTS ({BLOB})"
    return bool(db.execute(query, {"sha256": sha256}).fetchone()[0])
