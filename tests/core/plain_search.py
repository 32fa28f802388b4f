"""What a query means, said once more in plain Python over plain records: the slow and obvious way, to compare with."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from model_registry.catalog import VersionRow
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
    Period,
    Query,
    Within,
)
from model_registry.versions import sort_key

_OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@frozen
class Record:
    """A version, with all that the catalog is told of it."""

    row: VersionRow
    metadata: dict[str, Any]
    tags: dict[str, str] = field(factory=dict)
    model_tags: dict[str, str] = field(factory=dict)
    aliases: tuple[str, ...] = ()
    description: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.row.name.lower(), sort_key(self.row.version)


def search(query: Query, records: Iterable[Record]) -> list[Record]:
    """The records that fulfil a query, in its order."""
    found = sorted((record for record in records if _truth(query.condition, record)), key=lambda record: record.key)
    for order in reversed(query.order):
        known = [record for record in found if _rank(order.field, record) is not None]
        known.sort(key=lambda record: _rank(order.field, record), reverse=order.descending)
        found = [*known, *(record for record in found if _rank(order.field, record) is None)]
    return found


def _truth(condition: Condition | None, record: Record) -> bool | None:
    if condition is None:
        return True
    if isinstance(condition, Not):
        inner = _truth(condition.condition, record)
        return None if inner is None else not inner
    if isinstance(condition, (Comparison, Within, Between, Like, Missing)):
        return _test(condition, record)
    parts = [_truth(part, record) for part in condition.conditions]
    decisive = not isinstance(condition, And)
    return decisive if decisive in parts else None if None in parts else not decisive


def _test(test: Comparison | Within | Between | Like | Missing, record: Record) -> bool | None:
    values = _values(test.field, record)
    if isinstance(test, Missing):
        return values is None or (values == [] and has_several(test.field))
    if values is None:
        return None
    negated = isinstance(test, Comparison) and test.operator == "!="
    several = values if isinstance(values, list) else [values]
    return any(_fits(test, value) for value in several) is not negated


def _fits(test: Comparison | Within | Between | Like, value: Any) -> bool:
    name = test.field.name
    if isinstance(test, Like):
        text = record_text(value)
        return text is not None and _regex(test.pattern).fullmatch(text) is not None
    if isinstance(test, Within):
        return any(_compare("=", value, bound, name) for bound in test.values)
    if isinstance(test, Between):
        return _compare(">=", value, test.low, name) and _compare("<=", value, test.high, name)
    return _compare("=" if test.operator == "!=" else test.operator, value, test.value, name)


def record_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _compare(symbol: str, value: Any, bound: Any, name: str) -> bool:
    if isinstance(bound, Period):
        inside = bound.start <= value < bound.end
        return {
            "=": inside, "<": value < bound.start, "<=": value < bound.end, ">": value >= bound.end,
            ">=": value >= bound.start,
        }[symbol]  # fmt: skip
    if isinstance(value, bool) != isinstance(bound, bool) or isinstance(value, str) != isinstance(bound, str):
        return False
    if not isinstance(value, (str, int, float)):
        return False
    if name in ("name", "alias"):
        value, bound = value.lower(), re.sub("[A-Z]", lambda match: match[0].lower(), bound)
    if FIELDS[name].kind is Kind.VERSION:
        value, bound = sort_key(value), sort_key(bound)
    return bool(_OPERATORS[symbol](value, bound))


def _regex(pattern: str) -> re.Pattern[str]:
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    meanings = {"%": ".*", "_": "."}
    return re.compile("".join(meanings.get(p, re.escape(p[-1])) for p in pieces), re.IGNORECASE | re.DOTALL)


def _values(asked: Field, record: Record) -> Any:
    """A value, None for none, a list where there can be several."""
    row = record.row
    files = [blob for blob in row.blobs if blob[2]]
    several = {
        "alias": list(record.aliases),
        "files.path": [path for _, _, path in files],
        "files.size": [size for _, size, _ in files],
        "files.sha256": [sha256 for sha256, _, _ in files],
        "parents.relation": [parent.relation for parent in row.parents],
        "parents.name": [parent.name for parent in row.parents],
        "parents.version": [parent.version for parent in row.parents if parent.version],
        "parents.digest": [parent.digest for parent in row.parents if parent.digest],
    }
    if asked.name in several:
        return several[asked.name]
    if asked.name == "tags":
        return {**record.model_tags, **record.tags}.get(asked.keys[0]) if asked.keys else list(row.labels)
    if asked.name == "metrics":
        return row.metrics.get(asked.keys[0])
    if asked.name == "description":
        return record.metadata.get("description") if record.description is None else record.description
    if asked.name in ("name", "version", "format", "model_type", "size", "registered_at", "digest"):
        return getattr(row, asked.name)
    if FIELDS[asked.name].many:
        return record.metadata.get(asked.name, [])
    value: Any = record.metadata.get(asked.name)
    for key in asked.keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _rank(asked: Field, record: Record) -> tuple[int, Any] | None:
    """What orders the values of a field: numbers before texts; None for what has no place in the order."""
    value = _values(asked, record)
    if asked.name == "name":
        value = record.key[0]
    if isinstance(value, str):
        return 1, sort_key(value) if FIELDS[asked.name].kind is Kind.VERSION else value
    return (0, float(value)) if isinstance(value, (int, float)) else None
