"""What is SQLite's own in the catalog; what every catalog does is in the conformance kit."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from model_registry import (
    ConfigurationError,
    InvalidNameError,
    RegistryNotFoundError,
    StorageError,
    VersionExistsError,
)
from model_registry.catalog import VersionRow, open_catalog
from model_registry.catalog.schema import MIGRATIONS, migrate, prepare
from model_registry.catalog.sqlite import SqliteCatalog
from model_registry.clock import now


def row(name: str = "m", version: str = "1.0", **changes: Any) -> VersionRow:
    known = {"digest": "a" * 64, "format": "bytes", "model_type": "custom", "size": 10, "metadata": "{}"}
    return VersionRow(name, version, **{**known, "registered_at": now(), "blobs": (("b" * 64, 7, "m.bin"),), **changes})


def add(catalog: SqliteCatalog, *rows: VersionRow) -> None:
    for each in rows:
        catalog.commit(catalog.begin("me"), each)


def listed(catalog: SqliteCatalog, **asked: Any) -> list[tuple[str, str]]:
    return [(each.name, each.version) for each in catalog.versions(**asked)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry" / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> SqliteCatalog:
    return SqliteCatalog(path, create=True)


@pytest.fixture
def database(catalog: SqliteCatalog, path: Path) -> Iterator[sqlite3.Connection]:
    """The same database, from outside."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


class TestOpening:
    def test_is_chosen_by_url(self, tmp_path: Path) -> None:
        open_catalog("sqlite:some/where.db", tmp_path, create=True)
        assert (tmp_path / "some" / "where.db").is_file()
        with pytest.raises(
            ConfigurationError, match=r"^catalog = 'mysql:x': no catalog serves 'mysql' — use sqlite:<file>$"
        ):
            open_catalog("mysql:x", tmp_path, create=True)

    def test_makes_nothing_unless_told(self, path: Path) -> None:
        with pytest.raises(RegistryNotFoundError, match=f"^no registry at {re.escape(str(path.parent))} — "):
            SqliteCatalog(path, create=False)
        assert not path.parent.exists()

    def test_leaves_nothing_beside(self, catalog: SqliteCatalog, path: Path) -> None:
        assert {each.name for each in path.parent.iterdir()} <= {
            "catalog.sqlite",
            "catalog.sqlite-wal",
            "catalog.sqlite-shm",
            "staging",
        }
        assert not list(path.parent.glob("staging/*"))

    def test_a_log_without_its_catalog_is_not_played_into_a_new_one(self, path: Path) -> None:
        path.parent.mkdir()
        path.with_name("catalog.sqlite-wal").write_bytes(b"of another catalog")
        with pytest.raises(StorageError, match=r"catalog\.sqlite-wal belongs to a catalog that is gone"):
            SqliteCatalog(path, create=True)
        assert not path.exists()

    def test_is_durable(self, catalog: SqliteCatalog, database: sqlite3.Connection) -> None:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with catalog._connections.writing(durable=True) as db:
            assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL

    def test_finds_what_was_committed(self, catalog: SqliteCatalog, path: Path) -> None:
        added = row(blobs=())
        add(catalog, added)
        assert SqliteCatalog(path, create=False).versions() == [added]

    def test_an_emptied_file_is_no_catalog_and_stays_as_it_is(self, path: Path) -> None:
        path.parent.mkdir()
        path.touch()  # to SQLite, an empty database; to us, all versions would be gone and all blobs garbage
        with pytest.raises(StorageError, match=r"is no catalog: it is empty.*model-registry rebuild"):
            SqliteCatalog(path, create=True)
        assert path.stat().st_size == 0

    @pytest.mark.parametrize("start", range(1, len(MIGRATIONS) + 1))
    def test_migrates_from_every_schema_to_the_same_tables(
        self, path: Path, database: sqlite3.Connection, start: int, tmp_path: Path
    ) -> None:
        old = tmp_path / "old.sqlite"
        with closing(sqlite3.connect(old)) as connection:
            prepare(connection)
            migrate(connection, 0, start)
            connection.commit()
        SqliteCatalog(old, create=False)
        query = "SELECT name, sql FROM sqlite_master ORDER BY name"
        with closing(sqlite3.connect(old)) as migrated:
            assert migrated.execute(query).fetchall() == database.execute(query).fetchall()
            assert migrated.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)

    def test_refuses_a_newer_schema_and_leaves_it_alone(self, path: Path, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA user_version = 99")
        message = rf"has schema version 99, this core knows up to {len(MIGRATIONS)} — .*upgrade$"
        with pytest.raises(StorageError, match=message):
            SqliteCatalog(path, create=True)
        assert database.execute("PRAGMA user_version").fetchone() == (99,)
        database.execute("BEGIN IMMEDIATE")  # nobody holds a lock

    def test_by_many_at_once_makes_one(self, path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda number: SqliteCatalog(path, create=True), range(16)))
        add(made[0], row())
        assert all(listed(catalog) == [("m", "1.0")] for catalog in made)

    @pytest.mark.parametrize("data", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
    def test_refuses_a_damaged_file_in_one_line(self, path: Path, data: bytes) -> None:
        path.parent.mkdir()
        path.write_bytes(data)
        with pytest.raises(
            StorageError, match=r"^catalog .*catalog\.sqlite: .* — the catalog is damaged; «model-registry rebuild»"
        ) as refusal:
            SqliteCatalog(path, create=True)
        assert str(refusal.value).isprintable()
        assert path.read_bytes() == data

    def test_refuses_a_torn_file_when_it_is_read(self, catalog: SqliteCatalog, path: Path) -> None:
        add(catalog, *(row("m", f"{number}", metadata="x" * 3000) for number in range(10)))
        with catalog._connections.writing(durable=True) as db:
            pass
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        data = path.read_bytes()
        path.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))
        with pytest.raises(StorageError, match="the catalog is damaged"):
            SqliteCatalog(path, create=True).versions()

    @pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to(path)], ids=["folder", "loop"])
    def test_refuses_what_is_no_file(self, path: Path, make: Any) -> None:
        path.parent.mkdir()
        make(path)
        with pytest.raises(StorageError):
            SqliteCatalog(path, create=True)


class TestOrder:
    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_of_any_versions_is_that_of_packaging(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        part = st.sampled_from(["1", "2", "10", "a1", "rc2", ".post1", ".dev3", "+local", "1!", ".0"])
        texts = data.draw(st.lists(st.lists(part, min_size=1, max_size=4).map("".join), max_size=8))
        versions: dict[Version, str] = {}
        for text in texts:
            try:
                versions.setdefault(Version(text), text)
            except InvalidVersion:
                continue
        catalog = SqliteCatalog(tmp_path_factory.mktemp("c") / "catalog.sqlite", create=True)
        add(catalog, *(row("m", text) for text in versions.values()))
        assert [version for _, version in listed(catalog)] == [versions[key] for key in sorted(versions)]
        if versions:
            final = [version for version in versions if not version.is_prerelease]
            assert catalog.latest("m").version == versions[max(final or versions)]  # type: ignore[union-attr]


class TestCommitting:
    @pytest.mark.parametrize("again", ["1.0", "1.0.0", "v1", "1"])
    def test_a_version_twice_is_refused(self, catalog: SqliteCatalog, again: str) -> None:
        add(catalog, row())
        with pytest.raises(VersionExistsError, match=f"^m:{again} is registered already") as refusal:
            add(catalog, row("m", again))
        assert (refusal.value.model, refusal.value.version, refusal.value.digest) == ("m", "1.0", "a" * 64)
        assert ("as 1.0, which PEP 440 calls equal" in str(refusal.value)) == (again != "1.0")

    def test_a_name_that_differs_by_case_is_refused(self, catalog: SqliteCatalog) -> None:
        add(catalog, row("Model"))
        with pytest.raises(InvalidNameError, match=r"^model 'model': a model 'Model' exists.* — use 'Model'$"):
            add(catalog, row("model", "2.0"))
        catalog.remove("MODEL", None, keep=False)
        add(catalog, row("model", "2.0"))
        assert listed(catalog) == [("model", "2.0")]

    def test_a_lease_runs_out(self, catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
        old, renewed = catalog.begin("me"), catalog.begin("me")
        later = now() + 3_500_000_000
        monkeypatch.setattr("model_registry.catalog.sqlite.now", lambda: later)
        catalog.renew(renewed)
        assert catalog.reap_leases(lambda owner: False) == {old, renewed}
        monkeypatch.setattr("model_registry.catalog.sqlite.now", lambda: later + 200_000_000)
        assert catalog.reap_leases(lambda owner: False) == {renewed}


class TestQueries:
    """Every listing walks an index in order: no table is scanned, nothing is sorted."""

    @pytest.mark.parametrize(
        "ask",
        [
            lambda catalog: catalog.get("m", "1.0"),
            lambda catalog: catalog.latest("m"),
            lambda catalog: catalog.versions(limit=10),
            lambda catalog: catalog.versions(name="m"),
            lambda catalog: catalog.versions(name="m", after=("m", "1.0"), limit=10),
            lambda catalog: catalog.versions(after=("m", "1.0"), limit=10),
            lambda catalog: catalog.purge(0),
            lambda catalog: catalog.reserve_next_version(catalog.begin("me"), "m3"),
            lambda catalog: catalog.versions(model_type="audio", after=("m3", "1.0"), limit=50),
            lambda catalog: catalog.versions(format="onnx", limit=50),
        ],
        ids=["get", "latest", "all", "by name", "page by name", "page", "purge", "number", "by type", "by format"],
    )
    def test_use_an_index(self, catalog: SqliteCatalog, database: sqlite3.Connection, ask: Any) -> None:
        add(catalog, *(row(f"m{number}", "1.0", blobs=()) for number in range(50)))
        asked: list[str] = []
        with catalog._connections.reading() as connection:
            connection.set_trace_callback(asked.append)
            ask(catalog)
            connection.set_trace_callback(None)
        selects = [query for query in asked if query.strip().startswith("SELECT")]
        assert selects
        plan = [step[3] for query in selects for step in database.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert not [step for step in plan if "TEMP B-TREE" in step], plan
        # There are as many leases as registrations under way.
        scans = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step and step != "SCAN leases"]
        assert not scans, plan

    @pytest.mark.parametrize("narrowed", [{"model_type": "audio"}, {"format": "onnx"}])
    def test_narrowed_to_a_kind_look_at_that_kind_only(
        self, catalog: SqliteCatalog, database: sqlite3.Connection, narrowed: dict[str, str]
    ) -> None:
        asked: list[str] = []
        with catalog._connections.reading() as connection:
            connection.set_trace_callback(asked.append)
            catalog.versions(**narrowed)
            connection.set_trace_callback(None)
        (plan,) = [[step[3] for step in database.execute(f"EXPLAIN QUERY PLAN {query}")] for query in asked]
        column = "model_type" if "model_type" in narrowed else "format"
        assert any(f"({column}=?" in step and "INDEX versions_by_" in step for step in plan), plan
