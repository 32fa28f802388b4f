"""The order of what is found, and pages in it by the place of the last row.

A place is the values that a row is ordered by, then the key of its model's name and the sort key of its version, which
no two visible versions share. So a page goes on behind a row even if that row, or any other, is gone by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from model_registry.catalog.search.pieces import Sql, sql
from model_registry.search.tree import Order

_TIES = ("key", "sort_key")
#: Fields that every version has.
ALWAYS_KNOWN = ("name", "version", "format", "model_type", "size", "registered_at", "digest")


def names(order: Sequence[Order]) -> list[str]:
    """The columns of a place."""
    return [*(f"o{number}" for number in range(len(order))), *_TIES]


def order_by(order: Sequence[Order]) -> Sql:
    """The ORDER BY, over the columns of a place. What is missing comes last, as SQLite has it where it descends."""
    terms = [f"o{number} {'DESC' if each.descending else _ascending(each)}" for number, each in enumerate(order)]
    return Sql(", ".join([*terms, *_TIES]))


def _ascending(order: Order) -> str:
    return "ASC" if order.field.name in ALWAYS_KNOWN else "ASC NULLS LAST"


def behind(order: Sequence[Order], place: Sequence[object]) -> Sql:
    """Whether a row stands behind a place."""
    *values, key, sort_key = place
    later = sql("(key > {} OR (key = {} AND sort_key > {}))", key, key, sort_key)
    for number, (each, value) in reversed(list(enumerate(zip(order, values, strict=True)))):
        column = Sql(f"o{number}")
        equal = sql("({} IS {} AND {})", column, value, later)
        beyond = sql("{} {} {} OR {} IS NULL OR", column, Sql("<" if each.descending else ">"), value, column)
        later = equal if value is None else sql("({} {})", beyond, equal)
    return later
