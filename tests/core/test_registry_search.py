"""``ModelRegistry.search``: entries, pages and cursors."""

from __future__ import annotations

import base64
import json

import pytest

from model_registry import InvalidQueryError, ModelEntry, ModelRegistry, SearchPage
from model_registry.operations.search import _mark
from model_registry.search import parse


@pytest.fixture
def zoo(registry: ModelRegistry) -> ModelRegistry:
    for number in range(7):
        registry.register_model(
            f"m{number}",
            b"BYTES" * (number + 1),
            "bytes",
            performance_metrics={"accuracy": 0.9 + number / 100},
            author="Ada" if number < 3 else None,
            note={"seed": number},
        )
    return registry


def names(page: SearchPage) -> list[str]:
    return [entry.name for entry in page]


def test_the_query_that_everybody_is_shown(registry: ModelRegistry) -> None:
    told = {"mnist-a": (0.99, "dev"), "other": (0.98, "prod"), "third": (0.99, "dev"), "mnist-b": (0.5, "prod")}
    for name, (accuracy, stage) in told.items():
        registry.register_model(name, b"BYTES", "bytes", performance_metrics={"accuracy": accuracy})
        registry.set_tag(name, "stage", stage)
    query = "metrics.accuracy >= 0.97 and (tags.stage = 'prod' or name like 'mnist%') order by metrics.accuracy desc"
    assert names(registry.search(query)) == ["mnist-a", "other"]


def test_a_page_is_a_sequence_of_entries(zoo: ModelRegistry) -> None:
    page = zoo.search("author = 'Ada' order by extra.note.seed desc")
    assert names(page) == ["m2", "m1", "m0"]
    assert (len(page), page[0].name, names(SearchPage(page[1:]))) == (3, "m2", ["m1", "m0"])
    assert page[0] in page
    assert page[2] == zoo.resolve("m0")
    assert page.cursor is None
    assert not zoo.search("author = 'nobody'")


def test_all_versions_are_found_without_a_query(zoo: ModelRegistry) -> None:
    assert list(zoo.search()) == zoo.list_models()


@pytest.mark.parametrize("order", ["", "order by metrics.accuracy desc", "order by author, size desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_cursors_lead_through_all_pages(zoo: ModelRegistry, order: str, limit: int) -> None:
    found: list[ModelEntry] = []
    page = zoo.search(order, limit=limit)
    while page.cursor is not None:
        assert len(page) == limit
        found += page
        page = zoo.search(order, limit=limit, after=page.cursor)
    assert [*found, *page] == list(zoo.search(order))


def test_a_cursor_fits_the_same_query_however_it_is_written(zoo: ModelRegistry) -> None:
    page = zoo.search("size > 1 order by name", limit=2)
    assert names(zoo.search("SIZE  >  1B ORDER BY name ASC", after=page.cursor)) == [f"m{n}" for n in range(2, 7)]


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def forged(*values: object, query: str = "") -> str:
    """A cursor as somebody could make it who knows how they are made."""
    return encoded([_mark(parse(query), values), *values])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "bm8=",
        encoded([]),
        encoded(5),
        base64.urlsafe_b64encode(b"[" * 50_000).decode(),
        "A" * 200_000,
        forged(),
        forged("m1"),
        forged("m1", 5),
        forged("m1", None),
        forged("m1", "0", "0"),
        forged({"a": 1}, "m1", "0", query="order by size"),
        forged(2**64, "m1", "0", query="order by size"),
        forged("m1", "\ud800"),
    ],
    ids=lambda cursor: cursor[:20],
)
def test_a_cursor_that_is_none_is_refused(zoo: ModelRegistry, cursor: str) -> None:
    for query in ("", "order by size"):
        with pytest.raises(InvalidQueryError, match="the cursor is not one of this query — pass the cursor") as caught:
            zoo.search(query, after=cursor)
        assert (caught.value.query, caught.value.column) == (query, None)


def test_a_cursor_that_was_cut_or_changed_is_refused(zoo: ModelRegistry) -> None:
    cursor = zoo.search("order by size", limit=1).cursor
    assert cursor is not None
    for wrong in (cursor[:-2], f"{cursor}AA", cursor.swapcase()):
        with pytest.raises(InvalidQueryError, match="the cursor is not one of this query"):
            zoo.search("order by size", after=wrong)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_one_or_more(zoo: ModelRegistry, limit: int) -> None:
    with pytest.raises(InvalidQueryError, match=f"limit = {limit} — use 1 or more"):
        zoo.search(limit=limit)


def test_facts_that_change_are_found_as_they_are_now(zoo: ModelRegistry) -> None:
    zoo.set_alias("m1", "champion")
    zoo.set_tag("m2", "stage", "prod")
    zoo.describe("m3", "a new text", "1.0.0")
    assert names(zoo.search("alias = 'champion'")) == ["m1"]
    assert names(zoo.search("tags.stage = 'prod'")) == ["m2"]
    assert names(zoo.search("description like '%new%'")) == ["m3"]
    zoo.remove_model("m1")
    assert names(zoo.search("alias = 'champion'")) == []


def test_files_are_found(zoo: ModelRegistry) -> None:
    file = zoo.resolve("m4").files[0]
    assert names(zoo.search(f"files.sha256 = '{file.sha256}'")) == ["m4"]
    assert names(zoo.search(f"files.path = '{file.path}' and files.size between 25 and 30")) == ["m4", "m5"]
    assert names(zoo.search(f"digest like 'sha256:{zoo.resolve('m6').digest[:12]}%'")) == ["m6"]


@pytest.mark.parametrize(("name", "found"), [("m?", 7), ("M[0-2]", 3), ("*5", 1), ("x*", 0), ("m1", 1)])
def test_listing_takes_patterns(zoo: ModelRegistry, name: str, found: int) -> None:
    assert len(zoo.list_models(name=name)) == found
    first = zoo.list_models(name=name, limit=1)
    rest = zoo.list_models(name=name, after=(first[0].name, first[0].version)) if first else []
    assert len(first) + len(rest) == found
