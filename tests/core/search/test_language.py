"""The language of searches: what a text means, and where a mistake is."""

from __future__ import annotations

import re

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from queries import queries

from model_registry import InvalidQueryError, ModelMetadata, fields_of_query
from model_registry.search import Query, parse, text_of
from model_registry.search.fields import FIELDS
from model_registry.search.lexer import MAX_LENGTH
from model_registry.search.parser import MAX_DEPTH, MAX_PATTERN, MAX_TESTS, MAX_VALUES
from model_registry.search.tree import (
    And,
    Between,
    Comparison,
    Field,
    Like,
    Missing,
    Not,
    Or,
    Order,
    Period,
    Within,
)

NAME, SIZE, TAGS = Field("name"), Field("size"), Field("tags")
ACCURACY = Field("metrics", ("accuracy",))
DAY = 86_400_000_000
AN_A, A_B, A_C = (Comparison(NAME, "=", letter) for letter in "abc")


def condition(text: str) -> object:
    return parse(text).condition


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("name = 'a'", AN_A),
        ("NAME = 'a'", AN_A),
        ("name='it''s'", Comparison(NAME, "=", "it's")),
        ("name <> 'a'", Comparison(NAME, "!=", "a")),
        ("metrics.accuracy >= -1.5e-3", Comparison(ACCURACY, ">=", -0.0015)),
        ("performance_metrics.accuracy < .5", Comparison(ACCURACY, "<", 0.5)),
        ('metrics."top-5 ""a""" > 1', Comparison(Field("metrics", ('top-5 "a"',)), ">", 1)),
        ("metrics.val.loss > 1", Comparison(Field("metrics", ("val.loss",)), ">", 1)),
        ("metrics.order > 1", Comparison(Field("metrics", ("order",)), ">", 1)),
        ("type = 'audio'", Comparison(Field("model_type"), "=", "audio")),
        ("tags = 'prod'", Comparison(TAGS, "=", "prod")),
        ("tags.a-b = 'c'", Comparison(Field("tags", ("a-b",)), "=", "c")),
        ("extra.a.\"b c\" = TRUE", Comparison(Field("extra", ("a", "b c")), "=", True)),
        ("FILES.PATH like '%.bin'", Like(Field("files.path"), "%.bin")),
        ("size > 100MB", Comparison(SIZE, ">", 100_000_000)),
        ("size > 1.5 gb", Comparison(SIZE, ">", 1_500_000_000)),
        ("size > 5", Comparison(SIZE, ">", 5)),
        ("size in (1, 2kB)", Within(SIZE, (1, 2000))),
        ("size not in (1)", Not(Within(SIZE, (1,)))),
        ("name not like 'a%'", Not(Like(NAME, "a%"))),
        ("author is null", Missing(Field("author"))),
        ("author IS NOT NULL", Not(Missing(Field("author")))),
        ("size between 1 and 2 and name = 'a'", And((Between(SIZE, 1, 2), AN_A))),
        ("size not between 1 and 2", Not(Between(SIZE, 1, 2))),
        (f"digest = 'SHA256:{'A' * 64}'", Comparison(Field("digest"), "=", "a" * 64)),
        ("digest like 'sha256:AB%'", Like(Field("digest"), "ab%")),
        ("registered_at = '1970-01-02'", Comparison(Field("registered_at"), "=", Period(DAY, 2 * DAY))),
        (
            "registered_at >= '1970-01-01T02:00+02:00'",
            Comparison(Field("registered_at"), ">=", Period(0, 60_000_000)),
        ),
        ("registered_at < '1970-01-01 00:00:01Z'", Comparison(Field("registered_at"), "<", Period(10**6, 2 * 10**6))),
        ("registered_at < '1970-01-01T00:00:00.5'", Comparison(Field("registered_at"), "<", Period(500_000, 500_001))),
        ("name = 'a' or name = 'b' and name = 'c'", Or((AN_A, And((A_B, A_C))))),
        ("(name = 'a' or name = 'b') and name = 'c'", And((Or((AN_A, A_B)), A_C))),
        ("not name = 'a' and name = 'b'", And((Not(AN_A), A_B))),
        ("not (name = 'a' and name = 'b')", Not(And((AN_A, A_B)))),
        ("((name = 'a'))", AN_A),
    ],
)  # fmt: skip
def test_a_text_means(text: str, tree: object) -> None:
    assert condition(text) == tree


def test_an_empty_query_matches_everything() -> None:
    assert parse(" \n") == Query()


def test_an_order() -> None:
    assert parse("order by size DESC, name asc, metrics.accuracy") == Query(
        None, (Order(SIZE, descending=True), Order(NAME), Order(ACCURACY))
    )
    assert parse("name = 'a' order by version").order == (Order(Field("version")),)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("metrics.accuracy >= and size > 1", 21, "expected a value after '>=', found 'and' — write a number"),
        ("size >", 7, "expected a value after '>', found the end"),
        ("name = mnist", 8, "found 'mnist' — texts stand in single quotes: 'mnist'"),
        ('name = "mnist"', 8, "'\"' has no meaning here — texts stand in single quotes"),
        ("name == 'x'", 7, "found '=' — equality is a single ="),
        ("author = null", 10, "ask for what is missing with «is null»"),
        ("name = 'x", 8, "the text that begins here does not end"),
        ("0.9 < metrics.a", 1, "expected a field, found '0.9' — the field comes first"),
        ("name = 'a' and", 15, "expected a field, found the end"),
        ("(name = 'a'", 12, "expected 'and', 'or' or ')', found the end"),
        ("name = 'a')", 11, "expected 'and', 'or' or 'order by', found ')' — one ')' is too many"),
        ("name = 'a' name = 'b'", 12, "expected 'and', 'or' or 'order by', found 'name'"),
        ("name 'a'", 6, "expected a comparison after 'name', found 'a'"),
        ("name not 'a'", 10, "expected 'in', 'like' or 'between' after 'not', found 'a'"),
        ("name is 'a'", 9, "expected 'null' or 'not null', found 'a'"),
        ("size in 1", 9, "expected '(' after 'in', found '1'"),
        ("size in ()", 10, "expected a value after '(', found ')'"),
        ("size between 1 or 2", 16, "expected 'and' and the upper value, found 'or'"),
        ("metric.acc > 1", 1, "there is no field 'metric.acc' — did you mean 'metrics.acc'?"),
        ("autor = 'Ada'", 1, "there is no field 'autor' — did you mean 'author'?"),
        ("accuracy > 1", 1, "a metric is metrics.accuracy, a tag tags.accuracy, and metadata of your own extra.acc"),
        ("metrics > 1", 1, "expected a key after 'metrics' — write metrics.KEY"),
        ("metrics. > 1", 8, "expected a key after 'metrics.'"),
        ('metrics."a > 1', 9, "expected a key after 'metrics.\"' — end the key"),
        ("size.x > 1", 1, "size has no keys"),
        ("metrics.a = 'x'", 13, "metrics.a cannot be compared with 'x' — write a number"),
        ("metrics.a = true", 13, "metrics.a cannot be compared with 'true'"),
        ("version = 1.0", 11, "version cannot be compared with '1.0' — write a version in single quotes"),
        ("version = 'latest'", 11, "the word is reserved"),
        ("version = 1.0.0", 11, "'1.0.0' is no number — put texts, versions and times in single quotes"),
        ("registered_at > 2026-01-01", 17, "'2026-01-01' is no number"),
        ("registered_at > '2026-02-30'", 17, "'2026-02-30' is no time — write a time"),
        ("registered_at > '0001-01-01T00:00+01:00'", 17, "is no time"),
        ("registered_at > '2026-01-01T00:00+01:99'", 17, "is no time"),
        ("registered_at > 5", 17, "registered_at cannot be compared with '5'"),
        ("digest = 'abc'", 10, "'abc' is no SHA-256 digest"),
        ("digest > 'abc'", 8, "digest has no order"),
        ("extra.a < true", 11, "'true' has no order"),
        ("extra.a between false and 1", 17, "'false' has no order"),
        ("size like '1%'", 6, "'like' compares texts, and size is none"),
        ("name like 5", 11, "expected a pattern in single quotes after 'like', found '5'"),
        ("name like 'a\\'", 11, "ends amid an escape"),
        ("size > 10 MiB", 8, "'10 MiB' has the unknown unit 'MiB' — use B, kB, MB, GB, TB or PB"),
        ("size > 1e999", 8, "'1e999' is too large"),
        (f"size > {'0' * 5000}", 8, "is too large"),
        ("model_size_mb > 100MB", 17, "model_size_mb is no number of bytes"),
        ("order size", 7, "expected 'by' after 'order', found 'size'"),
        ("order by", 9, "expected a field after 'by', found the end"),
        ("order by size x", 15, "expected ',' or the end, found 'x'"),
        ("order by files.size", 10, "a version has several files.size"),
        ("order by tags", 10, "a version has several tags"),
        ("name = 'a' & size > 1", 12, "'&' has no meaning here"),
        ("name = '\ud800'", 9, "is no character of a text"),
        ("name = 'a\0b'", 10, "is no character of a text"),
    ],
)
def test_a_mistake_has_its_place(text: str, column: int, message: str) -> None:
    with pytest.raises(InvalidQueryError, match=re.escape(message)) as caught:
        parse(text)
    assert str(caught.value).startswith(f"search, column {column}: ")
    assert (caught.value.query, caught.value.column) == (text, column)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * (MAX_DEPTH + 2) + "size = 1" + ")" * (MAX_DEPTH + 2), f"nested more than {MAX_DEPTH} deep"),
        ("not " * (MAX_DEPTH + 2) + "size = 1", f"nested more than {MAX_DEPTH} deep"),
        ("(" * MAX_LENGTH, "nested more"),
        (" or ".join(["size = 1"] * (MAX_TESTS + 1)), f"more than {MAX_TESTS} tests are too many"),
        (f"size in ({','.join('1' * (MAX_VALUES + 1))})", "more than 1,000 values are too many"),
        (f"name like '{'a' * (MAX_PATTERN + 1)}'", "1,001 characters are too many for a pattern — use at most 1,000"),
        ("order by size" + ", size" * 8, "more than 8 fields to order by are too many"),
        (" " * (MAX_LENGTH + 1), "10,001 characters are too many — use at most 10,000"),
    ],
)
def test_what_is_too_much_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidQueryError, match=re.escape(message)):
        parse(text)


def test_what_is_just_not_too_much_is_understood() -> None:
    assert condition("(" * MAX_DEPTH + "size = 1" + ")" * MAX_DEPTH) == Comparison(SIZE, "=", 1)
    assert isinstance(condition(" or ".join(["size = 1"] * MAX_TESTS)), Or)


@given(queries)
def test_a_query_printed_and_parsed_again_is_itself(query: Query) -> None:
    assert parse(text_of(query)) == query
    assert repr(parse(text_of(query))) == repr(query)  # 1 is no True, and 1.0 no 1


_WORDS = "name size metrics.a tags extra.x.y and or not in is like null between order by desc true"
_SIGNS = "= != < >= ( ) , 'a' 'a%' 1 1.5 10MB \" ' . -"
fragments = st.sampled_from([*_WORDS.split(), *_SIGNS.split()])


@given(st.text(max_size=40) | st.lists(fragments, max_size=12).map(" ".join))
@example("name = '\ud800")
@example('extra."')
def test_any_text_is_a_query_or_has_a_mistake_inside(text: str) -> None:
    query = mistake = None
    try:
        query = parse(text)
    except InvalidQueryError as error:
        mistake = error
    if mistake is None:
        assert query is not None
        assert parse(text_of(query)) == query
    else:
        assert isinstance(mistake.column, int)
        assert 1 <= mistake.column <= len(text) + 1
        assert mistake.query == text


def test_every_field_of_the_metadata_can_be_searched() -> None:
    fields = {field.name for field in attrs.fields(ModelMetadata)} - {"performance_metrics", "tags", "extra"}
    assert fields <= {*FIELDS, "parents"}


def test_the_fields_that_a_query_asks_for_are_told_once_without_keys() -> None:
    tests = """not (TYPE = 'a' or metrics.x > 1) and parents."name" like 'parents.digest' and metrics.y is null"""
    query = f"{tests} order by size, metrics.x desc, model_type"
    assert fields_of_query(query) == ("model_type", "metrics", "parents.name", "size")
    assert fields_of_query("") == ()
    with pytest.raises(InvalidQueryError, match="column 6"):
        fields_of_query("size x")
