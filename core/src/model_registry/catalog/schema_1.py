"""The tables of the first schema."""

from __future__ import annotations

STEPS = (
    """
    CREATE TABLE models (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        key TEXT NOT NULL UNIQUE,
        highest TEXT,
        highest_key TEXT
    )
    """,
    """
    CREATE TABLE versions (
        id INTEGER PRIMARY KEY,
        model_id INTEGER NOT NULL REFERENCES models (id),
        version TEXT NOT NULL,
        sort_key TEXT NOT NULL,
        prerelease INTEGER NOT NULL,
        digest BLOB NOT NULL,
        format TEXT NOT NULL,
        model_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        metadata TEXT NOT NULL,
        registered_at INTEGER NOT NULL,
        removed_at INTEGER
    )
    """,
    """
    CREATE INDEX versions_of_model ON versions (model_id)
    """,
    """
    CREATE UNIQUE INDEX versions_visible ON versions (model_id, sort_key) WHERE removed_at IS NULL
    """,
    """
    CREATE INDEX versions_latest ON versions (model_id, prerelease, sort_key DESC) WHERE removed_at IS NULL
    """,
    """
    CREATE INDEX versions_by_type ON versions (model_type, model_id, sort_key) WHERE removed_at IS NULL
    """,
    """
    CREATE INDEX versions_by_format ON versions (format, model_id, sort_key) WHERE removed_at IS NULL
    """,
    """
    CREATE INDEX versions_removed ON versions (removed_at) WHERE removed_at IS NOT NULL
    """,
    """
    CREATE TABLE blobs (
        id INTEGER PRIMARY KEY,
        sha256 BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE version_blobs (
        version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        blob_id INTEGER NOT NULL REFERENCES blobs (id),
        PRIMARY KEY (version_id, blob_id)
    ) WITHOUT ROWID
    """,
    """
    CREATE INDEX version_blobs_by_blob ON version_blobs (blob_id)
    """,
    """
    CREATE TABLE leases (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        model_key TEXT,
        version TEXT
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE claims (
        sha256 BLOB NOT NULL,
        lease_id TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
        PRIMARY KEY (sha256, lease_id)
    ) WITHOUT ROWID
    """,
    """
    CREATE INDEX claims_by_lease ON claims (lease_id)
    """,
)
