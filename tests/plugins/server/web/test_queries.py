from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import InvalidQueryError, ModelRegistry
from model_registry_server.security.roles import LOCAL
from model_registry_server.web.queries import Asked, find, quoted


@pytest.fixture(scope="module")
def registry(folder: Path) -> ModelRegistry:
    return ModelRegistry(folder)


def names(registry: ModelRegistry, asked: Asked) -> list[str]:
    return [entry.reference for entry in find(registry, LOCAL, asked, None, 100)]


def test_words_are_looked_for_in_names_descriptions_and_tags(registry: ModelRegistry) -> None:
    assert names(registry, Asked("DIGI")) == [f"digits:1.{number}.0" for number in range(4)]
    assert names(registry, Asked("attempt 2")) == ["digits:1.2.0"]
    assert len(names(registry, Asked("vision"))) == 4
    assert names(registry, Asked("100%")) == []


def test_a_query_is_a_query(registry: ModelRegistry) -> None:
    asked = Asked("metrics.accuracy > 0.91 and tags = 'vision' order by metrics.accuracy desc")
    assert names(registry, asked) == ["digits:1.3.0", "digits:1.2.0", "digits:1.1.0"]


def test_filters_and_an_order_are_added_to_what_was_typed(registry: ModelRegistry) -> None:
    asked = Asked("name = 'digits' or name = 'wide'", {"tag": "vision", "format": "grid"}, "-version")
    assert names(registry, asked) == ["digits:1.3.0", "digits:1.2.0", "digits:1.1.0", "digits:1.0.0"]


def test_an_order_that_was_typed_goes_before_one_that_was_clicked() -> None:
    assert (
        Asked("size > 1 ORDER  BY size", {"format": "x"}, "-name").query()
        == "(size > 1) and format = 'x' ORDER  BY size"
    )


def test_an_order_in_quotes_is_none(registry: ModelRegistry) -> None:
    asked = Asked("""description = 'order by "x' or extra."order by" = 'y'""", {"format": "grid"}, "name")
    assert names(registry, asked) == []


def test_a_mistake_is_told_with_its_column_in_what_was_typed(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        find(registry, LOCAL, Asked("size > and", {"format": "grid"}, "name"), None, 10)
    assert caught.value.column == 8


@given(st.text(max_size=30), st.text(max_size=20))
def test_whatever_is_typed_or_clicked_is_searched_for_or_told_as_a_mistake(
    registry: ModelRegistry, typed: str, tag: str
) -> None:
    with suppress(InvalidQueryError):
        find(registry, LOCAL, Asked(typed, {"tag": tag}, "size"), None, 10)


@pytest.mark.parametrize("typed", ["'" * 9_999, "'\"" * 4_999, "'a'" * 3_000, "order " * 1_500, "a'" * 4_999])
def test_no_query_takes_long_to_be_taken_apart(typed: str) -> None:
    begun = time.process_time()
    Asked(typed, {"format": "x"}).query()
    assert time.process_time() - begun < 2


@given(st.text(alphabet="'\"a b", max_size=12), st.text(alphabet="ab ", max_size=6))
def test_an_order_is_found_behind_whatever_is_quoted(before: str, within: str) -> None:
    quotes = quoted(before.replace('"', "") + " order by x " + within)
    assert Asked(f"name = {quotes} order by size", {}, "name").query() == f"name = {quotes} order by size"


@given(st.text(max_size=30))
def test_a_quoted_text_is_one_text(value: str) -> None:
    text = quoted(value)
    assert text[1:-1].replace("''", "'") == value
    assert "'" not in text[1:-1].replace("''", "")
