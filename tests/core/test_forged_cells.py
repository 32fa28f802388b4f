"""Whatever somebody writes into the cells of a catalog, every operation gives an answer or one of our errors."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from model_registry import ModelRegistry, ModelRegistryError
from model_registry.catalog.schema import migrate, prepare

#: In place of texts, numbers and digests.
FORGED = [b"\xff", 2**62, "x\x1b[31m\n", '{"digest":1}']

OPERATIONS: list[Callable[[ModelRegistry], object]] = [
    lambda registry: [(entry.tags, entry.parents, entry.aliases) for entry in registry.list_models()],
    lambda registry: registry.list_models(removed=True),
    lambda registry: registry.search("metrics.f1 > 0.1 and tags.stage = 'prod' order by registered_at"),
    lambda registry: registry.search("files.path like 'part%' or parents.name = 'a' or size > 1"),
    lambda registry: registry.history(),
    lambda registry: registry.lineage("a"),
    lambda registry: registry.compare("a:1.0.0", "a"),
    lambda registry: registry.get_detailed_stats(),
    lambda registry: registry.undo_alias("a", "best"),
    lambda registry: registry.rollback("a", "best"),
    lambda registry: registry.load_model("a", "@best"),
    lambda registry: registry.copy_versions("copy", aliases=True),
    lambda registry: registry.validate_registry(deep=True),
    lambda registry: registry.repair(),
    lambda registry: registry.validate_registry(deep=True),
    lambda registry: registry.restore_model("gone"),
    lambda registry: registry.remove_model("b"),
    lambda registry: registry.collect_garbage(0),
    lambda registry: registry.backup(),
    lambda registry: ModelRegistry.rebuild(registry.settings.path, force=True),
]


def columns() -> list[tuple[str, str]]:
    """Of every table."""
    with closing(sqlite3.connect(":memory:")) as db:
        prepare(db)
        migrate(db, 0)
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, column[1]) for table in tables for column in db.execute(f"PRAGMA table_info ({table})")]


COLUMNS = columns()


@pytest.fixture
def template(bytes_plugin: str, alone: Path) -> Path:
    """A registry with something in every table."""
    registry = ModelRegistry("template")
    registry.register_model("a", b"one", performance_metrics={"f1": 0.9}, tags=["word"])
    registry.register_model("a", b"two", performance_metrics={"f1": 0.8}, parent="a:1.0.0")
    registry.register_model("b", b"three")
    registry.register_model("gone", b"four")
    registry.remove_model("gone")
    registry.set_alias("a", "best", "1.0.0")
    registry.set_alias("a", "best", "1.0.1")
    registry.set_tag("a", "stage", "prod", "1.0.0")
    registry.set_tag("a", "team", "vision")
    registry.describe("a", "a model")
    registry.link("b", "1.0.0", "a:1.0.0")
    registry.backup()
    registry.set_tag("b", "since", "the backup")
    return alone / "template"


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[".".join(each) for each in COLUMNS])
def test_is_answered_or_refused(template: Path, table: str, column: str) -> None:
    for value in FORGED:
        shutil.copytree(template, "models")
        forge(Path("models/catalog.sqlite"), table, column, value)
        for operation in OPERATIONS:
            assert refusal_of(operation).isprintable(), value
        shutil.rmtree("models")
        shutil.rmtree("copy", ignore_errors=True)


def refusal_of(operation: Callable[[ModelRegistry], object]) -> str:
    """Our error, in one line; empty for an answer."""
    try:
        operation(ModelRegistry("models"))
    except ModelRegistryError as error:
        return str(error)
    return ""


def forge(path: Path, table: str, column: str, value: Any) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.create_function("unpack", 1, lambda packed: None, deterministic=True)
        with suppress(sqlite3.IntegrityError):  # a value that the table itself refuses
            db.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
