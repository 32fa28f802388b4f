"""Strategies for the trees of queries. Values come from small pools, so that what is searched for is often there."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from model_registry.clock import DAY
from model_registry.search.fields import FIELDS, Kind, has_several
from model_registry.search.tree import (
    And,
    Between,
    Comparison,
    Condition,
    Field,
    Like,
    Missing,
    Not,
    Or,
    Order,
    Period,
    Query,
    Within,
)
from model_registry.search.values import MINUTE, SECOND

KEYS = ("accuracy", "stage", "top-5 accuracy", 'a"b', "x.y", "order")
TEXTS = ("mnist", "MNIST-large", "team-a/cat", "prod", "it's", "10%", "a_b", "ÄÖ", "")
VERSIONS = ("1.0", "1.0.0", "1.0rc1", "2.1", "10.0", "experiment_7", "3.10", "3.9")
DIGESTS = tuple(character * 64 for character in "0ab")
NUMBERS = (0, 1, 0.97, 0.5, -2, 1e-7, 100_000_000, 1.5e22, 2**70)
TIMES = (1_700_000_000_000_000, 1_700_000_000_000_001, 1_700_006_400_000_000, 1_699_920_000_000_000)
PATTERNS = ("mnist%", "%a%", "_nist", "%", "", "10\\%", "%\\_%", "1.%", "%Ä%", "ab%", "%t%a%")

texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
keys = st.sampled_from(KEYS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
numbers = st.sampled_from(NUMBERS) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    length = draw(st.sampled_from([DAY, MINUTE, SECOND, 1]))
    start = draw(st.sampled_from(TIMES) | st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
    return Period(start - start % length, start - start % length + length)


_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: texts,
    Kind.VERSION: st.sampled_from(VERSIONS),
    Kind.NUMBER: numbers,
    Kind.SIZE: numbers,
    Kind.TIME: periods(),
    Kind.DIGEST: st.sampled_from(DIGESTS),
    Kind.ANY: texts | numbers | st.booleans(),
}
_ORDERED = {**_VALUES, Kind.ANY: texts | numbers}


@st.composite
def fields(draw: st.DrawFn) -> Field:
    name = draw(st.sampled_from([*FIELDS, "metrics", "tags", "extra", "name"]))
    keys_of = {"metrics": st.tuples(keys), "tags": st.just(()) | st.tuples(keys)}
    keys_of["extra"] = st.lists(keys, min_size=1, max_size=2).map(tuple)
    return Field(name, draw(keys_of.get(name, st.just(()))))


@st.composite
def tests(draw: st.DrawFn) -> Condition:
    field = draw(fields())
    kind = FIELDS[field.name].kind
    kinds = ["=", "!=", "in", "null"]
    if kind is not Kind.DIGEST:
        kinds += ["<", "<=", ">", ">=", "between"]
    if kind in (Kind.TEXT, Kind.VERSION, Kind.DIGEST, Kind.ANY):
        kinds.append("like")
    which = draw(st.sampled_from(kinds))
    if which == "null":
        return Missing(field)
    if which == "like":
        pattern = draw(st.sampled_from(PATTERNS))
        return Like(field, pattern.lower() if kind is Kind.DIGEST else pattern)
    if which == "in":
        return Within(field, tuple(draw(st.lists(_VALUES[kind], min_size=1, max_size=3))))
    if which == "between":
        return Between(field, draw(_ORDERED[kind]), draw(_ORDERED[kind]))
    return Comparison(field, which, draw((_VALUES if which in ("=", "!=") else _ORDERED)[kind]))


def conditions() -> st.SearchStrategy[Condition]:
    return st.recursive(
        tests(),
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
        ),
        max_leaves=6,
    )


orders = st.builds(Order, fields().filter(lambda field: not has_several(field)), st.booleans())
queries = st.builds(Query, st.none() | conditions(), st.lists(orders, max_size=3).map(tuple))
