"""From a tree back to a text: ``parse(text_of(query)) == query``."""

from __future__ import annotations

from model_registry.clock import DAY, moment
from model_registry.search.tree import (
    And,
    Between,
    Comparison,
    Condition,
    Like,
    Missing,
    Not,
    Or,
    Order,
    Period,
    Query,
    Test,
    Value,
    Within,
)
from model_registry.search.values import MINUTE, SECOND

_TIMES = {DAY: "%Y-%m-%d", MINUTE: "%Y-%m-%dT%H:%MZ", SECOND: "%Y-%m-%dT%H:%M:%SZ", 1: "%Y-%m-%dT%H:%M:%S.%fZ"}


def text_of(query: Query) -> str:
    """The query as text, in one line."""
    condition = [] if query.condition is None else [condition_text(query.condition)]
    order = ["order by " + ", ".join(map(_order, query.order))] if query.order else []
    return " ".join([*condition, *order])


def condition_text(condition: Condition) -> str:
    """A condition as text."""
    if isinstance(condition, And):
        return " and ".join(_inside(part, And, Or) for part in condition.conditions)
    if isinstance(condition, Or):
        return " or ".join(_inside(part, Or) for part in condition.conditions)
    if not isinstance(condition, Not):
        return _test(condition)
    if isinstance(condition.condition, (Within, Between, Like, Missing)):
        return _test(condition.condition, negated="not ")
    return f"not {_inside(condition.condition, And, Or)}"


def _inside(part: Condition, *looser: type) -> str:
    """A part of another condition, in parentheses where it would fall apart."""
    return f"({condition_text(part)})" if isinstance(part, looser) else condition_text(part)


def _test(test: Test, negated: str = "") -> str:
    if isinstance(test, Comparison):
        return f"{test.field} {test.operator} {value_text(test.value)}"
    if isinstance(test, Within):
        return f"{test.field} {negated}in ({', '.join(map(value_text, test.values))})"
    if isinstance(test, Between):
        return f"{test.field} {negated}between {value_text(test.low)} and {value_text(test.high)}"
    if isinstance(test, Like):
        return f"{test.field} {negated}like {value_text(test.pattern)}"
    return f"{test.field} is {negated}null"


def value_text(value: Value) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("'", "''")
        return f"'{escaped}'"
    return value_text(_time(value)) if isinstance(value, Period) else repr(value)


def _time(period: Period) -> str:
    start = moment(period.start)
    form = _TIMES[period.end - period.start]
    return f"{start.year:04}" + start.strftime(form.removeprefix("%Y"))  # not every C library pads years


def _order(order: Order) -> str:
    return f"{order.field} desc" if order.descending else str(order.field)
