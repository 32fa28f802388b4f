"""The file in which a server remembers."""

from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from model_registry import StorageError
from model_registry_server.state import SCHEMA, State


def schema_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_a_file_says_its_schema_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = State(tmp_path).path
    assert schema_of(path) == SCHEMA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_a_later_release_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = State(tmp_path).path
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    before = path.read_bytes()
    with pytest.raises(StorageError, match=f"{re.escape(str(path))} is of a later release.*upgrade"):
        State(tmp_path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "state.sqlite").write_bytes(b"no database, but long enough to be read as one" * 100)
    with pytest.raises(StorageError, match=re.escape("state.sqlite: file is not a database")):
        State(tmp_path)


def test_a_transaction_that_fails_is_undone(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.create("CREATE TABLE IF NOT EXISTS kept (value)")

    def fail() -> None:
        with state.writing() as db:
            db.execute("INSERT INTO kept VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with state.reading() as db:
        assert db.execute("SELECT count(*) FROM kept").fetchone()[0] == 0
