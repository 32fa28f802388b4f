"""The catalog in one SQLite file, in WAL mode: readers never wait, writers take turns."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from model_registry.catalog import LEASE_SECONDS, CatalogStats, Found, Place, VersionRow, actions
from model_registry.catalog.aliases import SqliteAliases
from model_registry.catalog.connection import Connections
from model_registry.catalog.facts import Upkeep, VersionKey
from model_registry.catalog.history import SqliteHistory, record
from model_registry.catalog.inserting import exists, insert
from model_registry.catalog.lineage import SqliteLineage
from model_registry.catalog.removing import collect, forget, matching, needed_only_by, remove
from model_registry.catalog.rows import IS_DIGEST, SELECT, SELECT_BY_NAME, VISIBLE, one, row_of
from model_registry.catalog.searchable import LARGE
from model_registry.catalog.tags import SqliteDescriptions, SqliteTags
from model_registry.catalog.words import WORD
from model_registry.clock import now
from model_registry.errors import RegistrationLostError
from model_registry.names import name_key
from model_registry.versions import next_version, sort_key

if TYPE_CHECKING:
    from model_registry.search import Query

_PATTERN = frozenset("*?[")
#: Fewer than SQLite's limit of bound parameters.
_BATCH = 500


class SqliteCatalog:
    """See :class:`model_registry.catalog.Catalog`."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._connections = Connections(path, create=create)
        self.aliases = SqliteAliases(self._connections)
        self.tags = SqliteTags(self._connections)
        self.descriptions = SqliteDescriptions(self._connections)
        self.lineage = SqliteLineage(self._connections)
        self.history = SqliteHistory(self._connections)

    @cached_property
    def upkeep(self) -> Upkeep:
        from model_registry.catalog.upkeep import SqliteUpkeep

        return SqliteUpkeep(self._connections)

    # Registering

    def begin(self, owner: str) -> str:
        lease = os.urandom(16).hex()
        with self._connections.writing(durable=False) as db:
            db.execute("INSERT INTO leases (id, owner, expires_at) VALUES (?, ?, ?)", (lease, owner, _lease_end()))
        return lease

    def renew(self, lease: str) -> None:
        with self._connections.writing(durable=False) as db:
            _require_lease(db.execute("UPDATE leases SET expires_at = ? WHERE id = ?", (_lease_end(), lease)).rowcount)

    def reserve_next_version(self, lease: str, name: str) -> str:
        key = name_key(name)
        with self._connections.writing(durable=False) as db:
            version = next_version([*_highest_version(db, key), *_reserved_versions(db, key, lease)])
            reserved = db.execute("UPDATE leases SET model_key = ?, version = ? WHERE id = ?", (key, version, lease))
            _require_lease(reserved.rowcount)
        return version

    def claim(self, lease: str, digests: Iterable[str]) -> None:
        with self._connections.writing(durable=False) as db:
            _require_lease(db.execute("UPDATE leases SET expires_at = ? WHERE id = ?", (_lease_end(), lease)).rowcount)
            rows = [(bytes.fromhex(sha256), lease) for sha256 in digests]
            db.executemany("INSERT OR IGNORE INTO claims (sha256, lease_id) VALUES (?, ?)", rows)

    def commit(self, lease: str, row: VersionRow) -> None:
        with self._connections.writing(durable=True) as db:
            _require_lease(db.execute("DELETE FROM leases WHERE id = ?", (lease,)).rowcount)
            model_id, _ = insert(db, row)
            record(db, actions.REGISTERED, model_id, row.version)

    def release(self, lease: str, digests: Sequence[str] = (), delete: Callable[[str], int] = lambda sha256: 0) -> None:
        # Durable although it need not be: it overwrites what a failed commit may have left in the write-ahead log.
        with self._connections.writing(durable=True) as db:
            db.execute("DELETE FROM leases WHERE id = ?", (lease,))
            collect(db, digests, delete)  # within: on a full disk, only the room that this makes lets it commit

    # Looking

    def get(self, name: str, version: str) -> VersionRow | None:
        return self._one(f"{SELECT} WHERE {VISIBLE} AND v.sort_key = ?", name_key(name), sort_key(version))

    def latest(self, name: str) -> VersionRow | None:
        highest = """
            SELECT sort_key FROM versions
            WHERE removed_at IS NULL AND model_id = (SELECT id FROM models WHERE key = :key)
        """
        order = "ORDER BY sort_key DESC LIMIT 1"
        query = f"""
            {SELECT} WHERE m.key = :key AND v.removed_at IS NULL
                AND v.sort_key = coalesce(({highest} AND NOT prerelease {order}), ({highest} {order}))
        """
        with self._connections.reading() as db:
            found = db.execute(query, {"key": name_key(name)}).fetchone()
        return found and row_of(found)

    def blobs_of(self, version: VersionKey) -> tuple[tuple[str, int], ...]:
        query = f"""
            SELECT DISTINCT lower(hex(b.sha256)), b.size
            FROM models m JOIN versions v ON v.model_id = m.id
            JOIN version_blobs vb ON vb.version_id = v.id JOIN blobs b ON b.id = vb.blob_id
            WHERE m.key = ? AND v.sort_key = ? AND v.digest = ? AND {IS_DIGEST}
        """
        with self._connections.reading() as db:
            values = (name_key(version.name), sort_key(version.version), bytes.fromhex(version.digest))
            return tuple(db.execute(query, values))

    def blobs_of_size(self, size: int) -> list[str]:
        query = f"SELECT lower(hex(b.sha256)) FROM blobs b WHERE size = ? AND size >= {LARGE} AND {IS_DIGEST}"
        with self._connections.reading() as db:
            return [sha256 for (sha256,) in db.execute(query, (size,))]

    def similar_names(self, name: str, limit: int = 3) -> list[str]:
        from difflib import get_close_matches

        query = """
            SELECT key, name FROM models m
            WHERE EXISTS (SELECT 1 FROM versions v WHERE v.model_id = m.id AND v.removed_at IS NULL)
        """
        with self._connections.reading() as db:
            names = dict(db.execute(query))
        return [names[key] for key in get_close_matches(name_key(name), names, n=limit)]

    def versions(
        self,
        *,
        name: str | None = None,
        model_type: str | None = None,
        format: str | None = None,
        min_size: int | None = None,
        after: tuple[str, str] | None = None,
        limit: int | None = None,
        removed: bool = False,
    ) -> list[VersionRow]:
        terms = ["v.removed_at IS NOT NULL" if removed else "v.removed_at IS NULL"]
        values: list[object] = []
        for term, value in (
            _named_like(name),
            (f"v.model_type = {WORD}", model_type),
            (f"v.format = {WORD}", format),
            ("v.size >= ?", min_size),
        ):
            if value is not None:
                terms.append(term)
                values.append(value)
        if after is not None:
            terms.append("(m.key, v.sort_key) > (?, ?)")
            values += [name_key(after[0]), sort_key(after[1])]
        where = " AND ".join(terms)
        values.append(-1 if limit is None else limit)
        with self._connections.reading() as db:
            # Model by model: for visible rows each filter has an index of a model's versions, and nothing is sorted.
            select = SELECT if removed else SELECT_BY_NAME
            rows = db.execute(f"{select} WHERE {where} ORDER BY m.key, v.sort_key, v.removed_at LIMIT ?", values)
            return [row_of(row) for row in rows]

    def search(self, query: Query, *, after: Place | None = None, limit: int | None = None) -> list[Found]:
        from model_registry.catalog.search import search  # whoever does not search need not know the language

        return search(self._connections, query, after=after, limit=limit)

    def stats(self) -> CatalogStats:
        with self._connections.reading() as db:
            totals = """
                SELECT
                    count(DISTINCT model_id) FILTER (WHERE removed_at IS NULL) AS models,
                    count(*) FILTER (WHERE removed_at IS NULL) AS versions,
                    count(*) FILTER (WHERE removed_at IS NOT NULL) AS removed_versions,
                    coalesce(sum(size) FILTER (WHERE removed_at IS NULL), 0) AS logical_bytes,
                    (SELECT coalesce(sum(size), 0) FROM blobs) AS stored_bytes,
                    coalesce(sum(size) FILTER (WHERE removed_at IS NOT NULL), 0) AS removed_bytes
                FROM versions
            """
            count_by = """
                SELECT (SELECT word FROM words WHERE id = {0}) AS word, count(*)
                FROM versions WHERE removed_at IS NULL GROUP BY {0} ORDER BY word
            """
            by_format = dict(db.execute(count_by.format("format")))
            by_type = dict(db.execute(count_by.format("model_type")))
            return CatalogStats(**_named(db.execute(totals)), by_format=by_format, by_type=by_type)

    # Removing

    def remove(self, name: str, version: str | None, *, keep: bool) -> list[VersionRow]:
        with self._connections.writing(durable=True) as db:
            return remove(db, matching(db, VISIBLE, name, version), keep=keep)

    def remove_all(self, versions: Iterable[tuple[str, str, str]], *, keep: bool) -> list[VersionRow]:
        with self._connections.writing(durable=True) as db:
            found = []
            for name, version, digest in versions:
                found += [each for each in matching(db, VISIBLE, name, version) if each[2].digest == digest]
            return remove(db, found, keep=keep)

    def restore(self, name: str, version: str | None) -> list[VersionRow]:
        with self._connections.writing(durable=True) as db:
            found = matching(db, "m.key = ? AND v.removed_at IS NOT NULL", name, version)
            removed = list({sort_key(row.version): (id, model_id, row) for id, model_id, row in found}.values())
            for id, model_id, row in removed:
                try:
                    db.execute("UPDATE versions SET removed_at = NULL WHERE id = ?", (id,))
                except sqlite3.IntegrityError:
                    hint = "it was registered again since; remove that one first"
                    raise exists(db, row.name, row.version, hint) from None
                record(db, actions.RESTORED, model_id, row.version)
        return [evolve(row, removed_at=None) for _, _, row in removed]

    def purge(self, before: int) -> int:
        with self._connections.writing(durable=True) as db:
            found = [id for (id,) in db.execute("SELECT id FROM versions WHERE removed_at < ?", (before,))]
            forget(db, found)
        return len(found)

    # Collecting

    def reap_leases(
        self, is_dead: Callable[[str], bool], is_alive: Callable[[str], bool] = lambda owner: False
    ) -> set[str]:
        # Durable for the same reason as ``release``: a commit that was killed is overwritten before its blobs go.
        with self._connections.writing(durable=True) as db:
            leases = db.execute("SELECT id, owner, expires_at FROM leases").fetchall()
            ran_out = {id for id, owner, end in leases if int(end) < now() and not is_alive(str(owner))}
            dead = ran_out | {id for id, owner, _ in leases if is_dead(str(owner))}
            db.executemany("DELETE FROM leases WHERE id = ?", [(id,) for id in dead])
        return {id for id, _, _ in leases} - dead

    def collect(self, digests: Sequence[str], delete: Callable[[str], int]) -> tuple[int, int]:
        freed = []
        for start in range(0, len(digests), _BATCH):
            batch = digests[start : start + _BATCH]
            # The blobs are unlinked inside the write transaction: a registration's claim, itself one, comes before it
            # (and protects the blob) or after it (and finds the blob gone).
            with self._connections.writing(durable=False) as db:
                freed += collect(db, batch, delete)
        return len(freed), sum(freed)

    def collect_cold(
        self, lease: str, digests: Sequence[str], cold: Sequence[VersionKey], delete: Callable[[str], int]
    ) -> tuple[int, int]:
        with self._connections.writing(durable=False) as db:
            freed = [delete(sha256) for sha256 in needed_only_by(db, lease, digests, cold)]
        return len(freed), sum(freed)

    def listen(self, listener: Callable[[Sequence[Mapping[str, Any]]], None]) -> None:
        self._connections.listener = listener

    def backup(self, target: Path) -> None:
        with self._connections.reading() as db:
            # Not page by page: this reads every table, so a damaged catalog makes no backup.
            db.execute("VACUUM INTO ?", (str(target),))

    def references(self) -> Iterator[tuple[str, int]]:
        with self._connections.reading() as db:
            yield from db.execute(f"SELECT lower(hex(b.sha256)), b.size FROM blobs b WHERE {IS_DIGEST}").fetchall()

    def _one(self, query: str, *values: object) -> VersionRow | None:
        with self._connections.reading() as db:
            return one(db, query, *values)


def _named_like(name: str | None) -> tuple[str, str | None]:
    """What finds models by a name or a pattern. Names hold none of the signs of a pattern."""
    if name is None or not _PATTERN.intersection(name):
        return "m.key = ?", name and name_key(name)
    pattern = name.lower().replace("[!", "[^")
    return "m.key GLOB ?", pattern.encode(errors="backslashreplace").decode()


def _named(cursor: sqlite3.Cursor) -> dict[str, Any]:
    """The only row of a query, by the names of its columns."""
    return dict(zip((column[0] for column in cursor.description), cursor.fetchone(), strict=True))


def _lease_end() -> int:
    return now() + int(LEASE_SECONDS * 1e6)


def _require_lease(affected: int) -> None:
    if not affected:
        raise RegistrationLostError(
            "the registration took so long without a sign of life that it was taken for dead", hint="register again"
        )


def _highest_version(db: sqlite3.Connection, key: str) -> list[str]:
    """The highest version that a model ever had, if it had any: forgotten ones count, too."""
    return [version for (version,) in db.execute("SELECT highest FROM models WHERE key = ?", (key,)) if version]


def _reserved_versions(db: sqlite3.Connection, key: str, lease: str) -> list[str]:
    rows = db.execute("SELECT version FROM leases WHERE model_key = ? AND id != ?", (key, lease))
    return [version for (version,) in rows]
