"""Looking after the catalog: whether it is sound in itself and agrees with the documents, and putting it right."""

from __future__ import annotations

from collections.abc import Iterator

from model_registry.catalog import VersionRow, books
from model_registry.catalog.connection import Connections, problems_of
from model_registry.catalog.rows import COLUMNS, row_of

_PAGE = 256
_MISCOUNTED = "SELECT id FROM blobs WHERE uses != (SELECT count(*) FROM version_blobs WHERE blob_id = blobs.id)"
#: (table, what its rows hang on that is gone)
_DANGLING = (
    ("blobs", "typeof(sha256) != 'blob' OR length(sha256) != 32"),  # which is no blob's digest
    ("version_blobs", "blob_id NOT IN (SELECT id FROM blobs)"),
    *(
        (table, "version_id NOT IN (SELECT id FROM versions)")
        for table in ("version_blobs", "metrics", "labels", "version_tags", "aliases")
    ),
    *((table, "model_id NOT IN (SELECT id FROM models)") for table in ("model_tags", "aliases", "versions")),
    ("edges", "child_id NOT IN (SELECT id FROM versions)"),
    ("claims", "lease_id NOT IN (SELECT id FROM leases)"),
)


class SqliteUpkeep:
    """See :class:`model_registry.catalog.facts.Upkeep`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def problems(self) -> list[str]:
        with self._connections.reading() as db:
            return problems_of(db)

    def reindex(self) -> list[str]:
        with self._connections.writing(durable=True) as db:
            db.execute("REINDEX")
        return self.problems()

    def miscounted(self) -> int:
        with self._connections.reading() as db:
            return len(db.execute(_MISCOUNTED).fetchall())

    def recount(self) -> None:
        with self._connections.writing(durable=True) as db:
            db.execute("UPDATE blobs SET uses = (SELECT count(*) FROM version_blobs WHERE blob_id = blobs.id)")
            db.execute("DELETE FROM blobs WHERE uses = 0")

    def dangling(self) -> int:
        with self._connections.reading() as db:
            counts = [db.execute(f"SELECT count(*) FROM {table} WHERE {gone}").fetchone() for table, gone in _DANGLING]
        return sum(count for (count,) in counts)

    def drop_dangling(self) -> None:
        with self._connections.writing(durable=True) as db:
            for table, gone in _DANGLING:
                db.execute(f"DELETE FROM {table} WHERE {gone}")

    def versions(self) -> Iterator[tuple[int, VersionRow]]:
        query = f"""
            SELECT v.id, {COLUMNS} FROM versions v JOIN models m ON m.id = v.model_id
            WHERE v.id > ? ORDER BY v.id LIMIT ?
        """
        after = 0
        while True:
            with self._connections.reading() as db:
                found = db.execute(query, (after, _PAGE)).fetchall()
            yield from ((id, row_of(row)) for id, *row in found)
            if not found:
                return
            after = found[-1][0]

    def differences(self, id: int, told: VersionRow) -> list[tuple[str, str]]:
        with self._connections.reading() as db:
            is_there = db.execute("SELECT 1 FROM versions WHERE id = ?", (id,)).fetchone()
            return list(books.differences(db, id, told)) if is_there else []

    def correct(self, id: int, told: VersionRow) -> None:
        with self._connections.writing(durable=True) as db:
            if db.execute("SELECT 1 FROM versions WHERE id = ?", (id,)).fetchone():
                books.correct(db, id, told)

    def leases(self) -> list[tuple[str, str]]:
        with self._connections.reading() as db:
            return db.execute("SELECT id, owner FROM leases").fetchall()
