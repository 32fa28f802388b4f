"""What a query means: an immutable tree, in which every value has the type of its field.

Logic is that of SQL, with three values: a test of what a version does not have is neither true nor false, and a version
is found if the whole condition is true. A field that can hold several values passes a test if one of them does, and
fails it if there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from attrs import frozen

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Period:
    """The time that a date (a day) or a time (a minute, second or microsecond) stands for, in UTC.

    :param start: Its first microsecond since 1970.
    :param end: The first microsecond after it.
    """

    start: int
    end: int


Value: TypeAlias = str | int | float | bool | Period


@frozen
class Field:
    """A field of a version.

    :param name: A name of :data:`model_registry.search.fields.FIELDS`.
    :param keys: The keys after it: the metric's or tag's name, or the path inside ``extra``.
    """

    name: str
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join([self.name, *(key if _BARE_KEY.fullmatch(key) else _quoted(key) for key in self.keys)])


@frozen
class Comparison:
    """``field operator value``; the operator is one of ``= != < <= > >=``."""

    field: Field
    operator: str
    value: Value


@frozen
class Within:
    """``field in (values)``"""

    field: Field
    values: tuple[Value, ...]


@frozen
class Between:
    """``field between low and high``, both included."""

    field: Field
    low: Value
    high: Value


@frozen
class Like:
    """``field like pattern``; see :mod:`model_registry.search.patterns`."""

    field: Field
    pattern: str


@frozen
class Missing:
    """``field is null``"""

    field: Field


@frozen
class Not:
    """``not condition``"""

    condition: Condition


@frozen
class And:
    """``condition and condition …``, two or more."""

    conditions: tuple[Condition, ...]


@frozen
class Or:
    """``condition or condition …``, two or more."""

    conditions: tuple[Condition, ...]


ValueTest: TypeAlias = Comparison | Within | Between | Like
Test: TypeAlias = ValueTest | Missing
Condition: TypeAlias = Test | Not | And | Or


@frozen
class Order:
    """One field to order by. What a version does not have comes last in either direction."""

    field: Field
    descending: bool = False


@frozen
class Query:
    """A whole query.

    :param condition: None matches every version.
    """

    condition: Condition | None = None
    order: tuple[Order, ...] = ()


def metrics_of(query: Query) -> tuple[str, ...]:
    """The names of the metrics that a query asks for, each once."""
    return tuple(field.keys[0] for field in fields_of(query) if field.name == "metrics")


def fields_of(query: Query) -> tuple[Field, ...]:
    """The fields that a query asks for, each once."""
    tested = () if query.condition is None else _fields_of(query.condition)
    return tuple(dict.fromkeys([*tested, *(order.field for order in query.order)]))


def _fields_of(condition: Condition) -> Iterator[Field]:
    if isinstance(condition, Not):
        yield from _fields_of(condition.condition)
    elif isinstance(condition, (And, Or)):
        for part in condition.conditions:
            yield from _fields_of(part)
    else:
        yield condition.field


def _quoted(key: str) -> str:
    escaped = key.replace('"', '""')
    return f'"{escaped}"'
