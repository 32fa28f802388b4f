"""What a test of metadata says of a metadata document, for the fields that no table has."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from model_registry.search.fields import FIELDS, Kind
from model_registry.search.patterns import Pattern
from model_registry.search.tree import Between, Comparison, Field, Like, Missing, Test, Value, ValueTest, Within
from model_registry.versions import sort_key

Predicate = Callable[[Any], bool]
Document = Mapping[str, Any]

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_key = lru_cache(maxsize=4096)(sort_key)


def document_value(field: Field, metadata: Document) -> Any:
    """What a metadata document says of a field: None if nothing."""
    value: Any = metadata.get(field.name)
    for key in field.keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def test_of(test: Test) -> Callable[[Document], bool | None]:
    """The function that answers a test for a document: true, false, or None where nothing is known."""
    field = test.field
    if isinstance(test, Missing):
        several = FIELDS[field.name].many
        return lambda metadata: document_value(field, metadata) in ((None, [], ()) if several else (None,))
    fits = _predicate(test, FIELDS[field.name].kind)
    negated = isinstance(test, Comparison) and test.operator == "!="
    absent = negated if FIELDS[field.name].many else None

    def answer(metadata: Document) -> bool | None:
        value = document_value(field, metadata)
        if value is None:
            return absent
        found = any(map(fits, value)) if isinstance(value, (list, tuple)) else fits(value)
        return found is not negated

    return answer


def comparable(value: Value, kind: Kind) -> Any:
    """A value as it is compared: a version by its place in the order."""
    return _key(value) if kind is Kind.VERSION and isinstance(value, str) else value


def _predicate(test: ValueTest, kind: Kind) -> Predicate:
    """What a single value has to fulfil; of ``!=``, what it must not."""
    if isinstance(test, Like):
        matches = Pattern(test.pattern).matches
        return lambda value: isinstance(value, str) and matches(value)
    if isinstance(test, Within):
        return _any_of([_compare("=", value, kind) for value in test.values])
    if isinstance(test, Between):
        low, high = _compare(">=", test.low, kind), _compare("<=", test.high, kind)
        return lambda value: low(value) and high(value)
    return _compare("=" if test.operator == "!=" else test.operator, test.value, kind)


def _any_of(predicates: Sequence[Predicate]) -> Predicate:
    return lambda value: any(fits(value) for fits in predicates)


def _compare(symbol: str, bound: Value, kind: Kind) -> Predicate:
    family, wanted = _family(bound), comparable(bound, kind)
    holds = _OPERATORS[symbol]
    return lambda value: _family(value) is family and holds(comparable(value, kind), wanted)


def _family(value: Any) -> type | None:
    """Values of different families are never equal, and neither is less: 1 is no text, and true is no number."""
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float if isinstance(value, (int, float)) else None
