"""From the first schema to the second: what can be searched, the facts that change, and rows of half the size."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress

from model_registry.catalog.packing import pack
from model_registry.catalog.searchable import LARGE, note_labels, note_metrics


def _index_documents(connection: sqlite3.Connection) -> None:
    """Pack each document, and note its metrics and tags where searching finds them."""
    for id, document in connection.execute("SELECT id, metadata FROM documents").fetchall():
        connection.execute("UPDATE versions SET metadata = ? WHERE id = ?", (pack(document), id))
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            metadata = json.loads(document)["metadata"]
            note_metrics(connection, id, metadata.get("performance_metrics", {}))
            note_labels(connection, id, metadata.get("tags", []))


STEPS = (
    "CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE)",
    # The word of what has none, such as the path of a version's own documents.
    "INSERT INTO words (id, word) VALUES (0, '')",
    "INSERT OR IGNORE INTO words (word) SELECT format FROM versions UNION SELECT model_type FROM versions",
    "ALTER TABLE models ADD COLUMN description TEXT",
    # versions: rows of half the size. Words by number, a packed document, and two indexes fewer.
    "CREATE TEMP TABLE documents AS SELECT * FROM versions",
    "CREATE TEMP TABLE old_blobs AS SELECT * FROM blobs",
    "CREATE TEMP TABLE old_references AS SELECT * FROM version_blobs",
    "DROP TABLE version_blobs",
    "DROP TABLE blobs",
    "DROP TABLE versions",
    """
    CREATE TABLE versions (
        id INTEGER PRIMARY KEY,
        model_id INTEGER NOT NULL REFERENCES models (id),
        version TEXT NOT NULL,
        sort_key TEXT NOT NULL,
        prerelease INTEGER NOT NULL,
        digest BLOB NOT NULL,
        format INTEGER NOT NULL REFERENCES words (id),
        model_type INTEGER NOT NULL REFERENCES words (id),
        size INTEGER NOT NULL,
        metadata BLOB NOT NULL,
        description TEXT,
        registered_at INTEGER NOT NULL,
        removed_at INTEGER
    )
    """,
    # ``prerelease`` follows from ``sort_key``; it is here so that the latest version is found in the index alone.
    """
    CREATE UNIQUE INDEX versions_visible ON versions (model_id, sort_key, prerelease) WHERE removed_at IS NULL
    """,
    "CREATE INDEX versions_by_type ON versions (model_type, model_id, sort_key) WHERE removed_at IS NULL",
    "CREATE INDEX versions_by_format ON versions (format, model_id, sort_key) WHERE removed_at IS NULL",
    "CREATE INDEX versions_by_size ON versions (size) WHERE removed_at IS NULL",
    "CREATE INDEX versions_by_time ON versions (registered_at) WHERE removed_at IS NULL",
    "CREATE INDEX versions_removed ON versions (model_id, sort_key) WHERE removed_at IS NOT NULL",
    # A blob is needed as long as it has a row; triggers count its uses. Six bytes of its digest find it.
    """
    CREATE TABLE blobs (
        id INTEGER PRIMARY KEY,
        sha256 BLOB NOT NULL,
        size INTEGER NOT NULL,
        uses INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX blobs_by_digest ON blobs (substr(sha256, 1, 6))",
    f"CREATE INDEX large_blobs_by_size ON blobs (size) WHERE size >= {LARGE}",
    # ``path``: under which the version has the blob as a member; '' for its manifest, documents and provenance.
    """
    CREATE TABLE version_blobs (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        blob_id INTEGER NOT NULL,
        path INTEGER NOT NULL,
        PRIMARY KEY (version_id, blob_id, path)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER blob_used AFTER INSERT ON version_blobs BEGIN
        UPDATE blobs SET uses = uses + 1 WHERE id = NEW.blob_id;
    END
    """,
    """
    CREATE TRIGGER blob_unused AFTER DELETE ON version_blobs BEGIN
        UPDATE blobs SET uses = uses - 1 WHERE id = OLD.blob_id;
        DELETE FROM blobs WHERE id = OLD.blob_id AND uses <= 0;
    END
    """,
    # What can be searched, and the facts that change.
    """
    CREATE TABLE metrics (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        name INTEGER NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (version_id, name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX metrics_by_value ON metrics (name, value)",
    """
    CREATE TABLE labels (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        word INTEGER NOT NULL,
        PRIMARY KEY (version_id, word)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX labels_by_word ON labels (word)",
    """
    CREATE TABLE version_tags (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        key INTEGER NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (version_id, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX version_tags_by_value ON version_tags (key, value)",
    """
    CREATE TABLE model_tags (
        model_id INTEGER NOT NULL REFERENCES models (id),
        key INTEGER NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (model_id, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX model_tags_by_value ON model_tags (key, value)",
    """
    CREATE TABLE aliases (
        model_id INTEGER NOT NULL REFERENCES models (id),
        key TEXT NOT NULL,
        alias TEXT NOT NULL,
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        PRIMARY KEY (model_id, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX aliases_of_version ON aliases (version_id)",
    # A parent is named and not pointed to: the child knows it when it is gone. ``declared``: by the manifest.
    """
    CREATE TABLE edges (
        child_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        relation INTEGER NOT NULL,
        parent TEXT NOT NULL,
        version TEXT NOT NULL DEFAULT '',
        digest BLOB,
        declared INTEGER NOT NULL,
        PRIMARY KEY (child_id, relation, parent, version)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX edges_of_parent ON edges (digest) WHERE digest IS NOT NULL",
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        actor INTEGER NOT NULL,
        action INTEGER NOT NULL,
        model_id INTEGER NOT NULL REFERENCES models (id),
        version TEXT,
        subject TEXT,
        before TEXT,
        after TEXT
    )
    """,
    "CREATE INDEX events_of_model ON events (model_id)",
    # Everything back.
    """
    INSERT INTO versions (id, model_id, version, sort_key, prerelease, digest, format, model_type, size, metadata,
        registered_at, removed_at)
    SELECT id, model_id, version, sort_key, prerelease, digest, (SELECT id FROM words WHERE word = format),
        (SELECT id FROM words WHERE word = model_type), size, CAST(metadata AS BLOB), registered_at, removed_at
    FROM documents
    """,
    "INSERT INTO blobs (id, sha256, size) SELECT id, sha256, size FROM old_blobs",
    "INSERT INTO version_blobs (version_id, blob_id, path) SELECT version_id, blob_id, 0 FROM old_references",
    "DELETE FROM blobs WHERE uses = 0",
    _index_documents,
    "DROP TABLE documents",
    "DROP TABLE old_blobs",
    "DROP TABLE old_references",
    "INSERT OR IGNORE INTO words (word) VALUES ('registered'), ('removed'), ('unknown')",
    """
    INSERT INTO events (at, actor, action, model_id, version)
    SELECT registered_at AS at, (SELECT id FROM words WHERE word = 'unknown'),
        (SELECT id FROM words WHERE word = 'registered'), model_id, version FROM versions
    UNION ALL
    SELECT removed_at, (SELECT id FROM words WHERE word = 'unknown'),
        (SELECT id FROM words WHERE word = 'removed'), model_id, version FROM versions WHERE removed_at IS NOT NULL
    ORDER BY 1
    """,
)
