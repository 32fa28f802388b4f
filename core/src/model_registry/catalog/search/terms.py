"""Conditions as SQL, over a row ``v`` of versions and ``m`` of its model.

The SQL of a condition is true, false or NULL just as the condition is. A *source* of a condition is a SELECT of the
``version_id`` of every version that can fulfil it, read from an index; it may give more, and some twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from model_registry.catalog.search.pieces import Sql, joined, listed, sql
from model_registry.search.fields import FIELDS, Kind
from model_registry.search.patterns import Pattern
from model_registry.search.printer import condition_text
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
    Period,
    Test,
    Value,
    ValueTest,
    Within,
)
from model_registry.versions import sort_key

_WORD = "(SELECT id FROM words WHERE word = {})"
_METRIC = f"(SELECT value FROM metrics WHERE version_id = v.id AND name = {_WORD})"
_TAG = f"""coalesce(
    (SELECT value FROM version_tags WHERE version_id = v.id AND key = {_WORD}),
    (SELECT value FROM model_tags WHERE model_id = v.model_id AND key = {_WORD})
)"""

#: So many digits of a digest are shared by few.
_RARE_DIGITS = 4
_HEX = re.compile("[0-9a-f]{1,64}")

_FILES = "version_blobs e CROSS JOIN blobs b ON b.id = e.blob_id"

#: Fields that the tables keep as the number of a word.
_WORDS = ("format", "model_type", "tags", "files.path", "parents.relation")
#: The value of a field that a version has once.
_SCALARS: Mapping[str, str] = {
    "name": "m.key",
    "version": "v.sort_key",
    "format": "(SELECT word FROM words WHERE id = v.format)",
    "model_type": "(SELECT word FROM words WHERE id = v.model_type)",
    "size": "v.size",
    "registered_at": "v.registered_at",
    "digest": "lower(hex(v.digest))",
    "description": "coalesce(v.description, document_value(v.metadata, 'description'))",
}
#: Where the values of a field are that a version has any number of, and the value.
_MANY: Mapping[str, tuple[str, str]] = {
    "tags": ("labels e WHERE e.version_id = v.id", "e.word"),
    "alias": ("aliases e WHERE e.version_id = v.id", "e.key"),
    "files.path": ("version_blobs e WHERE e.version_id = v.id AND e.path != 0", "e.path"),
    "files.size": (f"{_FILES} WHERE e.version_id = v.id AND e.path != 0", "b.size"),
    "files.sha256": (f"{_FILES} WHERE e.version_id = v.id AND e.path != 0", "lower(hex(b.sha256))"),
    "parents.relation": ("edges e WHERE e.child_id = v.id", "e.relation"),
    "parents.name": ("edges e WHERE e.child_id = v.id", "e.parent"),
    "parents.version": ("edges e WHERE e.child_id = v.id AND e.version != ''", "e.version"),
    "parents.digest": ("edges e WHERE e.child_id = v.id AND e.digest IS NOT NULL", "lower(hex(e.digest))"),
}
#: Fields whose names are the same in either case, and kept in lower case.
_FOLDED = ("name", "alias")
#: Fields of which SQLite's own LIKE is right, since they hold nothing but ASCII.
_ASCII = ("name", "version", "alias", "digest", "files.path", "files.sha256", "parents.digest")

#: Columns of numbers that have an index of their own.
_INDEXED = ("size", "registered_at")

_OPPOSITES = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}

#: What a test costs a row, roughly in microseconds, by what has to be read.
_COSTS = {
    **dict.fromkeys(("name", "version"), 0),
    **dict.fromkeys(("format", "model_type", "size", "registered_at", "digest"), 1),
    "metrics": 2,
}
_SUBQUERY, _FUNCTION, _DOCUMENT = 3, 5, 20


def cost_of(condition: Condition) -> int:
    """What a condition costs a row, to have the cheap ones asked first."""
    if isinstance(condition, Not):
        return cost_of(condition.condition)
    if isinstance(condition, (And, Or)):
        return sum(map(cost_of, condition.conditions))
    name = condition.field.name
    if FIELDS[name].document or name == "description":
        return _DOCUMENT
    return _COSTS.get(name, _SUBQUERY) + (_FUNCTION if isinstance(condition, Like) and name not in _ASCII else 0)


def reads_documents(condition: Condition) -> bool:
    """Whether documents have to be unpacked to answer it."""
    return cost_of(condition) >= _DOCUMENT


def condition_sql(condition: Condition, *, exactly: bool = False) -> Sql:
    """A condition.

    :param exactly: It matters whether it is false or unknown, as it does inside of ``not``.
    """
    if isinstance(condition, Not):
        return sql("(NOT {})", condition_sql(condition.condition, exactly=True))
    if isinstance(condition, (And, Or)):
        parts = (condition_sql(part, exactly=exactly) for part in sorted(condition.conditions, key=cost_of))
        return sql("({})", joined(" AND " if isinstance(condition, And) else " OR ", parts))
    field = condition.field
    if FIELDS[field.name].document:
        return _document_sql(condition, exactly)
    if field.name == "description":
        edited = sql("(v.description IS NULL AND {})", _document_sql(condition, exactly))
        return edited if isinstance(condition, Missing) else _edited_sql(condition, exactly)
    return _some_sql(condition) if field.name in _MANY and not field.keys else _one_sql(condition)


def value_sql(field: Field) -> Sql:
    """The value of a field that a version has once, as it is compared; NULL if it has none."""
    if field.name == "metrics":
        return sql(_METRIC, field.keys[0])
    if field.name == "tags":
        return sql(_TAG, field.keys[0], field.keys[0])
    if FIELDS[field.name].document:
        return sql("document_value(v.metadata, {})", str(field))
    return Sql(_SCALARS[field.name])


def metric_id(field: Field) -> Sql:
    """The number of a metric's name."""
    return sql(_WORD, field.keys[0])


# Tests


def _document_sql(test: Test, exactly: bool) -> Sql:
    """What the document says. Where false and unknown are the same, it need not always be read to the end."""
    return sql("{}(v.metadata, {})", Sql("document_fits" if exactly else "document_matches"), condition_text(test))


def _edited_sql(test: ValueTest, exactly: bool) -> Sql:
    """A test of the description, which may have been edited since it was registered."""
    edited = _fits(test, Sql("v.description"))
    edited = sql("(NOT {})", edited) if _is_negated(test) else edited
    return sql("CASE WHEN v.description IS NULL THEN {} ELSE {} END", _document_sql(test, exactly), edited)


def _one_sql(test: Test) -> Sql:
    """A test of a field that a version has once."""
    field = test.field
    if isinstance(test, Missing):
        return sql("({} IS NULL)", value_sql(field))
    if field.name in ("format", "model_type"):
        found = _fits(test, Sql(f"v.{field.name}"))
    elif field.name == "digest" and not isinstance(test, Like):
        found = _fits(test, Sql("v.digest"))
    else:
        found = _fits(test, Sql("v.version") if _is_like_of_version(test) else value_sql(field))
    return sql("(NOT {})", found) if _is_negated(test) else found


def _some_sql(test: Test) -> Sql:
    """Whether some of a version's values fit; never NULL."""
    rows, value = _MANY[test.field.name]
    if isinstance(test, Missing):
        return Sql(f"(NOT EXISTS (SELECT 1 FROM {rows}))")
    found = sql("EXISTS (SELECT 1 FROM {} AND {})", Sql(rows), _blobs(test) or _fits(test, Sql(value)))
    return sql("(NOT {})", found) if _is_negated(test) else found


def _blobs(test: ValueTest) -> Sql | None:
    """Whether a file is one of certain blobs: the index of blobs finds those, and that of the version the file."""
    values = _equal_to(test)
    if test.field.name != "files.sha256" or not values:
        return None
    digests = [bytes.fromhex(str(value)) for value in values]
    found = "e.blob_id IN (SELECT id FROM blobs WHERE substr(sha256, 1, 6) IN ({}) AND sha256 IN ({}))"
    return sql(found, listed(digest[:6] for digest in digests), listed(digests))


def _equal_to(test: Test) -> tuple[Value, ...]:
    """The values of a test for equality; of other tests none."""
    if isinstance(test, Within):
        return test.values
    return (test.value,) if isinstance(test, Comparison) and test.operator in ("=", "!=") else ()


def _is_negated(test: Test) -> bool:
    return isinstance(test, Comparison) and test.operator == "!="


def _is_like_of_version(test: Test) -> bool:
    return isinstance(test, Like) and test.field.name == "version"


def _fits(test: ValueTest, value: Sql) -> Sql:
    """Whether a value fits; for ``!=``, whether it is equal."""
    if test.field.name in _WORDS and not test.field.keys and value.text != "word":
        return sql("{} IN (SELECT id FROM words WHERE {})", value, _fits(test, Sql("word")))
    if isinstance(test, Like):
        return _like(test, value)
    if isinstance(test, Within):
        if FIELDS[test.field.name].kind is Kind.TIME:
            return sql("({})", joined(" OR ", (_compare(value, "=", each, test.field) for each in test.values)))
        return sql("{} IN ({})", value, listed(_bound(each, test.field) for each in test.values))
    if isinstance(test, Between):
        low, high = _compare(value, ">=", test.low, test.field), _compare(value, "<=", test.high, test.field)
        return sql("({} AND {})", low, high)
    return _compare(value, "=" if test.operator == "!=" else test.operator, test.value, test.field)


def _compare(value: Sql, operator: str, bound: Value, field: Field) -> Sql:
    if not isinstance(bound, Period):
        return sql("{} {} {}", value, Sql(operator), _bound(bound, field))
    if operator == "=":
        return sql("({} >= {} AND {} < {})", value, bound.start, value, bound.end)
    # A day begins with its first microsecond, and ends with its last.
    limit = bound.start if operator in ("<", ">=") else bound.end
    return sql("{} {} {}", value, Sql("<" if operator in ("<", "<=") else ">="), limit)


def _bound(value: Value, field: Field) -> object:
    """A value in the form in which the tables hold it."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    if not isinstance(value, str):
        return value
    if FIELDS[field.name].kind is Kind.VERSION:
        return sort_key(value)
    if field.name == "digest":
        return bytes.fromhex(value)
    return _lower(value) if field.name in _FOLDED else value


def _like(test: Like, value: Sql) -> Sql:
    pattern = Pattern(test.pattern)
    if test.field.name == "digest" and pattern.is_prefix and _HEX.fullmatch(pattern.prefix):
        low, high = pattern.prefix.ljust(64, "0"), pattern.prefix.ljust(64, "f")
        return sql("v.digest BETWEEN {} AND {}", bytes.fromhex(low), bytes.fromhex(high))
    if test.field.name in _ASCII and test.pattern.isascii():
        like = sql("{} LIKE {} ESCAPE '\\'", value, test.pattern)
        if test.field.name != "name" or not (prefix := _lower(pattern.prefix)):
            return like
        return sql("({} >= {} AND {} < {} AND {})", value, prefix, value, f"{prefix}\x7f", like)
    return sql("fits_pattern({}, {})", test.pattern, value)


def _lower(text: str) -> str:
    """In lower case, but for what is not ASCII: no sign that looks like a letter becomes one."""
    return "".join(character.lower() if character.isascii() else character for character in text)


# Sources


def rare_sql(test: Test) -> Sql | None:
    """The source of what hardly any version can fulfil and no index finds: a digest. All versions have to be read."""
    if FIELDS[test.field.name].kind is not Kind.DIGEST or isinstance(test, Missing) or _is_negated(test):
        return None
    if isinstance(test, Like) and len(Pattern(test.pattern).prefix) < _RARE_DIGITS:
        return None
    if blobs := _blobs(test):
        return sql("SELECT e.version_id FROM version_blobs e WHERE {}", blobs)
    return sql("SELECT v.id AS version_id FROM versions v NOT INDEXED WHERE {}", condition_sql(test))


def source_sql(test: Test, *, negated: bool = False) -> Sql | None:
    """The source of a test, or of its negation, if an index finds what fulfils it."""
    if isinstance(test, Missing):
        return _having(test.field) if negated else None
    negated ^= _is_negated(test)
    if test.field.name == "metrics":
        return sql("{} AND {}", _metric_source(test.field), _measured(test, Sql("value"), negated))
    if test.field.name in _INDEXED and not isinstance(test, Within):  # SQLite has no room for many dates twice
        fits = _measured(test, Sql(f"s.{test.field.name}"), negated)
        return sql("SELECT s.id AS version_id FROM versions s WHERE {} AND s.removed_at IS NULL", fits)
    if test.field.name == "tags" and test.field.keys:
        return _tag_source(test.field, _maybe_not(negated, _fits(test, Sql("t.value"))))
    source = _SOURCES.get(test.field.name)
    return None if source is None or negated else source(test)


def _having(field: Field) -> Sql | None:
    """The source of what has a field at all."""
    if field.name == "metrics":
        return _metric_source(field)
    return _tag_source(field, Sql("TRUE")) if field.name == "tags" and field.keys else None


def _measured(test: ValueTest, value: Sql, negated: bool) -> Sql:
    """Whether a value fits; of an order that is negated, the opposite, which the index finds."""
    if negated and isinstance(test, Comparison) and test.operator in _OPPOSITES:
        return _compare(value, _OPPOSITES[test.operator], test.value, test.field)
    return _maybe_not(negated, _fits(test, value))


def _maybe_not(negated: bool, condition: Sql) -> Sql:
    return sql("NOT {}", condition) if negated else condition


def _metric_source(field: Field) -> Sql:
    return sql("SELECT version_id FROM metrics WHERE name = {}", metric_id(field))


def _tag_source(field: Field, fits: Sql) -> Sql:
    key = sql(_WORD, field.keys[0])
    return sql(
        "SELECT t.version_id FROM version_tags t WHERE t.key = {} AND {} UNION ALL"
        " SELECT s.id FROM model_tags t CROSS JOIN versions s ON s.model_id = t.model_id"
        " WHERE t.key = {} AND {} AND s.removed_at IS NULL",
        key, fits, key, fits,
    )  # fmt: skip


def _label_source(test: ValueTest) -> Sql:
    return sql("SELECT version_id FROM labels WHERE {}", _fits(test, Sql("labels.word")))


def _alias_source(test: ValueTest) -> Sql:
    return sql("SELECT version_id FROM aliases WHERE {}", _fits(test, Sql("key")))


def _name_source(test: ValueTest) -> Sql | None:
    if isinstance(test, Like) and not Pattern(test.pattern).prefix:
        return None
    return sql(
        "SELECT s.id AS version_id FROM models n CROSS JOIN versions s ON s.model_id = n.id"
        " WHERE {} AND s.removed_at IS NULL",
        _fits(test, Sql("n.key")),
    )


def _word_source(test: ValueTest) -> Sql:
    fits = _fits(test, Sql(f"s.{test.field.name}"))
    return sql("SELECT s.id AS version_id FROM versions s WHERE {} AND s.removed_at IS NULL", fits)


_SOURCES: Mapping[str, Callable[[ValueTest], Sql | None]] = {
    "tags": _label_source,
    "alias": _alias_source,
    "name": _name_source,
    "format": _word_source,
    "model_type": _word_source,
}
