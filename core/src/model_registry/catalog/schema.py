"""The catalog's tables, as a list of migrations: entry n turns schema version n into n + 1. Only ever append.

``models.highest`` is the highest version that a model ever had, with its sort key: a number is never given twice.
Digests are 32 raw bytes and times are microseconds in UTC: half the space of their texts, and they sort. Words that
occur again and again (formats, types, names of metrics, paths, actors) are kept once, in ``words``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from model_registry.catalog import schema_1, schema_2
from model_registry.catalog.packing import unpack

Step = str | Callable[[sqlite3.Connection], None]

MIGRATIONS: tuple[tuple[Step, ...], ...] = (schema_1.STEPS, schema_2.STEPS)


def prepare(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that the schema's statements and queries use."""
    connection.create_function("unpack", 1, _unpack, deterministic=True)


def migrate(connection: sqlite3.Connection, found: int, to: int | None = None) -> None:
    """Run the steps from schema version ``found`` on, inside the caller's transaction."""
    for steps in MIGRATIONS[found:to]:
        for step in steps:
            step(connection) if callable(step) else connection.execute(step)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) if to is None else to}")


def _unpack(packed: bytes) -> str | None:
    try:
        return unpack(packed)
    except (ValueError, TypeError):  # damage is told by whoever reads the row
        return None
