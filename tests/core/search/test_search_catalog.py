"""Searching the catalog: every query finds what plain Python finds, by whatever way, in pages of every size."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import plain_search
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_search import Record
from queries import DIGESTS, TEXTS, VERSIONS, queries

from model_registry import StorageError
from model_registry.catalog import VersionRow, search
from model_registry.catalog.sqlite import SqliteCatalog
from model_registry.records import Parent
from model_registry.search import Query, parse
from model_registry.search.parser import MAX_DEPTH, MAX_TESTS, MAX_VALUES
from model_registry.versions import sort_key

NAMES = ("mnist", "MNIST-large", "team-a/cat", "team-b/cat", "bert", "a_b")
PATHS = ("model.safetensors", "config.json", "weights/10.bin", "a_b")
TAGS = ("accuracy", "stage", "top-5 accuracy", "x.y")
MEASURED = (0, 1, 0.97, 0.5, -2, 1e-7)


def some(random: random.Random, values: Sequence[Any], most: int = 2) -> list[Any]:
    return random.sample(list(values), random.randint(0, most))


def anything(random: random.Random, depth: int = 0) -> Any:
    """What extra may hold."""
    kinds = [None, True, False, *MEASURED, 2**70, *TEXTS, [], [1, "prod", True], ["10%", None, {}]]
    if depth < 2 and random.random() < 0.4:
        return {key: anything(random, depth + 1) for key in some(random, ("accuracy", "stage", "x.y", 'a"b'))}
    return random.choice(kinds)


def record(random: random.Random, name: str, version: str, number: int, model_tags: dict[str, str]) -> Record:
    """A version of random facts."""
    metadata = {
        "description": random.choice(TEXTS),
        "author": random.choice(TEXTS),
        "license": random.choice(TEXTS),
        "dependencies": some(random, TEXTS),
        "input_shape": some(random, [1, 3, 224, "batch", None]),
        "training_epochs": random.choice([0, 1, 5]),
        "model_size_mb": random.choice(MEASURED),
        "python_version": random.choice(["3.9", "3.10", "3.11.2"]),
        "extra": {key: anything(random) for key in some(random, ("accuracy", "stage", "x.y", "order"), 3)},
    }
    said = {key: value for key, value in metadata.items() if random.random() < 0.6 and value not in (None, [], {})}
    parents = [
        Parent(random.choice(["derived", "prod"]), *pair, digest=random.choice([None, *DIGESTS]))
        for pair in {(random.choice(NAMES), random.choice([None, "1.0"])) for _ in range(random.randint(0, 2))}
    ]
    row = VersionRow(
        name=name,
        version=version,
        digest=random.choice(DIGESTS),
        format=random.choice(["mnist", "prod", "onnx"]),
        model_type=random.choice(["10%", "custom"]),
        size=random.choice([0, 1, 100_000_000, 2**40]),
        metadata=json.dumps({"metadata": said}, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        registered_at=1_700_000_000_000_000 + random.choice([0, 1, number, 6_400_000_000]),
        blobs=(
            ("f" * 64, 9, ""),
            *((random.choice(DIGESTS), random.choice([0, 1, 100_000_000]), path) for path in some(random, PATHS)),
        ),
        metrics={key: random.choice(MEASURED) for key in some(random, TAGS, 3)},
        labels=tuple(some(random, TEXTS, 3)),
        parents=tuple(parents),
    )
    return Record(
        row,
        said,
        tags={key: random.choice(TEXTS) for key in some(random, TAGS)},
        model_tags=model_tags,
        aliases=tuple(some(random, ["Champion", "mnist", "prod"]) if random.random() < 0.2 else ()),
        description=random.choice([*TEXTS, *[None] * 20]),
    )


def records(seed: int, count: int) -> list[Record]:
    """Versions of a few models, each with other versions."""
    chance = random.Random(seed)
    model_tags = {name: {key: chance.choice(TEXTS) for key in some(chance, TAGS)} for name in NAMES}
    versions = {(name, sort_key(version)): (name, version) for name in NAMES for version in VERSIONS}
    chosen = chance.sample(sorted(versions.values()), count)
    made, taken = [], set()
    for number, (name, version) in enumerate(chosen):
        made.append(each := record(chance, name, version, number, model_tags[name]))
        # An alias names one version of its model, and a blob has one size.
        aliases = [alias for alias in each.aliases if (name, alias) not in taken]
        taken.update((name, alias) for alias in aliases)
        object.__setattr__(each, "aliases", tuple(aliases))
        sizes = {"f" * 64: 9, DIGESTS[0]: 0, DIGESTS[1]: 1, DIGESTS[2]: 100_000_000}
        blobs = dict.fromkeys((sha256, sizes[sha256], path) for sha256, _, path in each.row.blobs)
        object.__setattr__(each.row, "blobs", tuple(blobs))
    return made


def fill(path: Path, records: Sequence[Record]) -> SqliteCatalog:
    """A catalog of the records, and of some versions that were removed."""
    catalog = SqliteCatalog(path, create=True)
    for each in records:
        name, version = each.row.name, each.row.version
        if version == "2.1":
            catalog.commit(catalog.begin("me"), each.row)
            catalog.remove(name, version, keep=True)
        catalog.commit(catalog.begin("me"), each.row)
        for key, value in each.tags.items():
            catalog.tags.set(name, version, key, value)
        for key, value in each.model_tags.items():
            catalog.tags.set(name, None, key, value)
        for alias in each.aliases:
            catalog.aliases.set(name, alias, version)
        if each.description is not None:
            catalog.descriptions.set(name, version, each.description)
    return catalog


ZOO = records(seed=1, count=36)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> SqliteCatalog:
    return fill(tmp_path_factory.mktemp("registry") / "catalog.sqlite", ZOO)


@contextmanager
def way(few: int, part: int, steps: int) -> Iterator[None]:
    """Search in one of the ways only."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"_FEW": few, "_SOME": part, "_PART": part, "_FIRST_STEPS": steps, "_STEPS": steps}.items():
            patch.setattr(search, name, value)
        patch.setattr(search, "_STRIDE", 10)
        yield


WAYS = {
    "as it likes": (300, 5, 40_000),
    "in order": (-1, 10**9, 10**9),
    "by source": (-1, 1, 0),
    "by reading everything": (-1, 10**9, 0),
    "given up amid it": (-1, 1, 2_000),
}
each_way = pytest.mark.parametrize("ways", WAYS.values(), ids=list(WAYS))


def pages(catalog: SqliteCatalog, query: Query, limit: int | None) -> list[tuple[str, str]]:
    """All that a query finds, page by page."""
    found: list[tuple[str, str]] = []
    after = None
    while True:
        page = catalog.search(query, after=after, limit=limit)
        found += [(row.name.lower(), sort_key(row.version)) for row, _ in page]
        if limit is None or len(page) < limit:
            return found
        after = page[-1][1]


def expected(query: Query, records: Sequence[Record]) -> list[tuple[str, str]]:
    return [each.key for each in plain_search.search(query, records)]


@each_way
@settings(max_examples=150, deadline=None)
@given(query=queries, limit=st.none() | st.integers(1, 12))
def test_a_query_finds_what_plain_python_finds(
    zoo: SqliteCatalog, ways: tuple[int, int, int], query: Query, limit: int | None
) -> None:
    with way(*ways):
        assert pages(zoo, query, limit) == expected(query, ZOO)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9), count=st.integers(0, 12), asked=st.lists(queries, min_size=5, max_size=15))
def test_in_any_catalog(tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, asked: list[Query]) -> None:
    made = records(seed, count)
    catalog = fill(tmp_path_factory.mktemp("registry") / "catalog.sqlite", made)
    for query in asked:
        assert pages(catalog, query, 3) == expected(query, made)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("name like 'MNIST%'", 2),
        ("name like 'mnist'", 1),
        ("name like 'a\\_b'", 1),
        ("name = 'TEAM-A/CAT'", 1),
        ("name = 'team-a/\u212aat'", 0),
        ("name like '%at'", 2),
        ("description = 'edited'", 1),
        ("description like '%DAMAGED%' or author is null", 4),
        ("order by author", 5),
        ("author = 'Ada'", 1),
        ("registered_at = '1970-01-02'", 1),
        ("registered_at <= '1970-01-02'", 2),
        ("registered_at < '1970-01-02'", 1),
        ("registered_at > '1970-01-02'", 3),
        ("registered_at in ('1970-01-01', '1970-01-02')", 2),
        ("digest like 'sha256:0%'", 1),
        ("digest like 'B1%' or digest like '%9'", 1),
        ("metrics.passed = 1", 1),
        ("metrics.accuracy < 0", 0),
        ("alias = 'CHAMPION'", 1),
        ("alias is not null", 1),
        ("size = 1e30 or size > 99999999999999999999999", 0),
        (f"files.sha256 = '{'a' * 64}'", 1),
    ],
)
def test_what_a_query_finds(tmp_path: Path, text: str, count: int) -> None:
    days = 86_400_000_000
    catalog = SqliteCatalog(tmp_path / "registry" / "catalog.sqlite", create=True)
    documents = {
        "mnist": '{"metadata":{"author":"Ada","description":"once"}}',
        "MNIST-large": "{}",
        "team-a/cat": "[]",
        "team-b/cat": "no JSON",
        "a_b": '{"metadata":{"author":',
    }
    for number, (name, document) in enumerate(documents.items()):
        first = number == 0
        row = VersionRow(
            name,
            "1.0",
            digest=f"{'0' if first else 'b'}{number}".ljust(64, "3"),
            format="x",
            model_type="custom",
            size=1,
            metadata=document,
            registered_at=number * days + 5,
            metrics={"passed": True} if first else {},
            blobs=(("a" * 64, 1, "model.bin"),) if first else (),
        )
        catalog.commit(catalog.begin("me"), row)
    catalog.descriptions.set("mnist", "1.0", "edited")
    catalog.aliases.set("mnist", "Champion", "1.0")
    assert len(catalog.search(parse(text))) == count


ATTACKS = ("'; DROP TABLE versions; --", "' OR 1 = 1 --", '"', "\\", "%' ESCAPE '%", "?", "{}", ":name", "a\nb")


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    "form",
    [
        "name = {0}",
        "author = {0}",
        "description like {0}",
        "tags in ({0})",
        "tags.{1} = {0}",
        "metrics.{1} > 1",
        "extra.{1}.{1} = {0} order by extra.{1}",
        "alias = {0} order by tags.{1}, metrics.{1} desc",
        "files.path like {0}",
    ],
)
def test_texts_and_keys_are_values_only(zoo: SqliteCatalog, form: str, attack: str) -> None:
    text = attack.replace("\\", "\\\\") if "like" in form else attack
    quoted, key = text.replace("'", "''"), attack.replace('"', '""')
    query = parse(form.replace("{0}", f"'{quoted}'").replace("{1}", f'"{key}"'))
    assert pages(zoo, query, 5) == expected(query, ZOO)
    assert len(zoo.search(parse(""))) == len(ZOO)


@each_way
@pytest.mark.parametrize(
    "order", ["", "order by name desc", "order by metrics.accuracy desc", "order by size, version"]
)
def test_pages_go_on_where_they_were_while_versions_come_and_go(
    tmp_path: Path, ways: tuple[int, int, int], order: str
) -> None:
    made = records(seed=2, count=24)
    later = [each for each in made if each.row.version in ("1.0rc1", "3.9")]
    gone = [each for each in made if each.row.version == "10.0"]
    stayed = [each for each in made if each not in [*later, *gone]]
    catalog = fill(tmp_path / "registry" / "catalog.sqlite", [*stayed, *gone])
    query, found, after = parse(order), [], None
    with way(*ways):
        for step in range(len(made)):
            page = catalog.search(query, after=after, limit=2)
            if not page:
                break
            found += [(row.name.lower(), sort_key(row.version)) for row, _ in page]
            after = page[-1][1]
            for each in later[step : step + 1]:
                catalog.commit(catalog.begin("me"), each.row)
            for each in gone[step : step + 1]:
                catalog.remove(each.row.name, each.row.version, keep=True)
    assert len(set(found)) == len(found)
    known = {each.key for each in stayed}
    assert [key for key in found if key in known] == expected(query, stayed)


def plan(catalog: SqliteCatalog, text: str, after: Any = None) -> str:
    """How SQLite gets a page, by the last statement that the search makes."""
    db = catalog._connections._connection()
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    try:
        catalog.search(parse(text), limit=5, after=after)
    finally:
        db.set_trace_callback(None)
    return "\n".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statements[-1]}"))


@pytest.mark.parametrize(
    ("ways", "text", "step"),
    [
        ("in order", "", "SCAN m USING COVERING INDEX sqlite_autoindex_models_1"),
        ("in order", "size > 1", "SEARCH v USING INDEX versions_visible (model_id=?)"),
        ("in order", "name like 'mnist%'", "SEARCH m USING COVERING INDEX sqlite_autoindex_models_1 (key>? AND key<?)"),
        ("in order", "name = 'mnist'", "SEARCH m USING COVERING INDEX sqlite_autoindex_models_1 (key=?)"),
        ("in order", "order by name desc", "SCAN m USING COVERING INDEX sqlite_autoindex_models_1"),
        ("in order", "order by metrics.accuracy desc", "SEARCH o USING COVERING INDEX metrics_by_value (name=?)"),
        ("in order", "order by size", "SCAN v USING INDEX versions_by_size"),
        ("in order", "order by registered_at desc", "SCAN v USING INDEX versions_by_time"),
        ("by source", "metrics.accuracy > 0.5", "metrics_by_value (name=? AND value>?)"),
        ("by source", "metrics.accuracy between 0.5 and 1", "metrics_by_value (name=? AND value>? AND value<?)"),
        ("by source", "not metrics.accuracy < 0.5", "metrics_by_value (name=? AND value>?)"),
        ("by source", "tags = 'prod'", "SEARCH labels USING COVERING INDEX labels_by_word (word=?)"),
        ("by source", "tags.stage = 'prod'", "SEARCH t USING COVERING INDEX version_tags_by_value (key=? AND value=?)"),
        ("by source", "tags.stage is not null", "SEARCH t USING COVERING INDEX model_tags_by_value (key=?)"),
        ("by source", "format = 'onnx'", "SEARCH s USING INDEX versions_by_format (format=?)"),
        ("by source", "type in ('custom', 'x')", "SEARCH s USING INDEX versions_by_type (model_type=?)"),
        ("by reading everything", "size > 1", "SCAN v"),
    ],
)
def test_searches_use_the_indexes(zoo: SqliteCatalog, ways: str, text: str, step: str) -> None:
    with way(*WAYS[ways]):
        steps = plan(zoo, text)
    assert step in steps
    if ways == "by source":
        assert "SEARCH v USING INTEGER PRIMARY KEY (rowid=?)" in steps


@pytest.mark.parametrize("text", ["", "size > 1", "format != 'x'", "order by name desc"])
def test_searching_in_the_order_of_names_sorts_nothing_but_the_page(zoo: SqliteCatalog, text: str) -> None:
    (_, place), *_ = zoo.search(parse(text), limit=1)
    with way(*WAYS["in order"]):
        for after in (None, place):
            steps = plan(zoo, text, after).splitlines()
            assert [step for step in steps if "TEMP B-TREE" in step] == ["USE TEMP B-TREE FOR ORDER BY"]
            assert steps.index("USE TEMP B-TREE FOR ORDER BY") > steps.index("SCAN p")


def test_a_page_begins_in_the_index_at_the_place_of_the_last(zoo: SqliteCatalog) -> None:
    with way(*WAYS["in order"]):
        (_, place), *_ = zoo.search(parse("order by metrics.accuracy"), limit=1)
        assert "metrics_by_value (name=? AND value>?)" in plan(zoo, "order by metrics.accuracy", place)
        (_, place), *_ = zoo.search(parse(""), limit=1)
        assert "sqlite_autoindex_models_1 (key>?)" in plan(zoo, "", place)


def test_a_search_that_gave_up_a_way_leaves_no_limit_behind(zoo: SqliteCatalog) -> None:
    with way(-1, 1, 20):
        zoo.search(parse("size < 0"), limit=5)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT max(i) FROM n"
    assert zoo._connections._connection().execute(numbers).fetchone() == (100_000,)


def test_a_broken_catalog_is_no_search_that_takes_too_long(tmp_path: Path) -> None:
    path = tmp_path / "registry" / "catalog.sqlite"
    catalog = fill(path, [])
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE labels")
    with pytest.raises(StorageError, match="no such table: labels"):
        catalog.search(parse("tags != 'x'"), limit=5)


def nested(leaf: str, around: str, depth: int) -> str:
    return around.replace("{}", nested(leaf, around, depth - 1)) if depth else leaf


@each_way
@pytest.mark.parametrize(
    "text",
    [
        nested("extra.x = 1", "(size > 1 and {})", MAX_DEPTH),
        nested("metrics.accuracy > 0.5", "(tags = 'prod' or {})", MAX_DEPTH),
        nested("tags.stage = 'prod'", "(tags.stage = 'prod' or not (name = 'x' and {}))", MAX_DEPTH // 3),
        nested("description = 'x'", "not {}", MAX_DEPTH),
        " or ".join(["metrics.accuracy > 0.9"] * MAX_TESTS),
        " and ".join(["author is null"] * MAX_TESTS),
        " or ".join([f"size in ({','.join('1' * MAX_VALUES)})"] * 4),
        f"registered_at in ({','.join([chr(39) + '2026-01-01' + chr(39)] * 700)})",
        f"tags.stage in ({','.join([chr(39) + 'prod' + chr(39)] * MAX_VALUES)})",
        "order by metrics.a, metrics.b desc, tags.c, extra.d, author desc, size, name, version desc",
    ],
)
def test_the_largest_queries_are_not_too_large_for_sqlite(
    zoo: SqliteCatalog, ways: tuple[int, int, int], text: str
) -> None:
    with way(*ways):
        query = parse(text)
        assert pages(zoo, query, 5) == expected(query, ZOO)
