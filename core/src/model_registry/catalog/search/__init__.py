"""Searches in SQLite: from a query's tree to one SELECT with bound values, by the way that reads least.

There are two ways to a page. One is to test what an index says can fulfil the condition, and sort; that is quick for
few. The other is to test in the order that is asked for, where an index has it, until the page is full; that is quick
unless what fulfils the condition is rare. Nobody knows beforehand how rare it is, so the second way is tried with more
patience each time that the first turns out to be longer. The last resort is to read all versions.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence

from attrs import evolve, frozen

from model_registry.catalog import Found, Place
from model_registry.catalog.connection import Connections
from model_registry.catalog.rows import COLUMNS, row_of
from model_registry.catalog.search.functions import prepare
from model_registry.catalog.search.order import behind, names, order_by
from model_registry.catalog.search.pieces import Sql, joined, sql
from model_registry.catalog.search.terms import (
    condition_sql,
    cost_of,
    metric_id,
    rare_sql,
    reads_documents,
    source_sql,
    value_sql,
)
from model_registry.search.tree import (
    And,
    Condition,
    Field,
    Missing,
    Not,
    Or,
    Order,
    Query,
)

#: So few candidates are tested and sorted at once …
_FEW = 300
#: … and this part of all versions, one in …, if testing in order takes long; and this, rather than reading all of them.
_SOME, _PART = 50, 5
#: Steps of SQLite's machine before testing in order is given up: at first two milliseconds, then five.
_FIRST_STEPS, _STEPS, _PATIENCE = 40_000, 100_000, 3
#: A row whose document has to be read takes as long as so many others.
_SLOWER = 5
_STRIDE = 2_000

_BY_NAME = Sql("models m CROSS JOIN versions v ON v.model_id = m.id")
_BY_SCAN = Sql("versions v NOT INDEXED CROSS JOIN models m ON m.id = v.model_id")
#: By the columns that have an index of their own.
_BY_COLUMN = {
    "size": Sql("versions v INDEXED BY versions_by_size CROSS JOIN models m ON m.id = v.model_id"),
    "registered_at": Sql("versions v INDEXED BY versions_by_time CROSS JOIN models m ON m.id = v.model_id"),
}
_BY_METRIC = Sql("metrics o CROSS JOIN versions v ON v.id = o.version_id CROSS JOIN models m ON m.id = v.model_id")
_BY_NAME_FIRST = Order(Field("name"))


def search(connections: Connections, query: Query, *, after: Place | None, limit: int | None) -> list[Found]:
    """See :meth:`model_registry.catalog.Catalog.search`."""
    with connections.reading() as db:
        prepare(db)
        return _Search(db, query, after, limit).found()


@frozen
class _Source:
    """SELECTs of candidates, and how many they give, counted no further than asked."""

    selects: tuple[Sql, ...]
    count: int

    @property
    def select(self) -> Sql:
        # SQLite's parser has no room for selects inside of selects inside of …
        return joined(" UNION ALL ", (sql("SELECT version_id FROM ({})", select) for select in self.selects))


@frozen
class _Search:
    db: sqlite3.Connection
    query: Query
    after: Place | None
    limit: int | None

    def found(self) -> list[Found]:
        versions = self._versions()
        for most, steps in ((_FEW, _FIRST_STEPS), (versions // _SOME, _STEPS), (versions // _PART, 0)):
            source = self._source(max(_FEW, most))
            if source is not None and source.count <= max(_FEW, most):
                return self._of_all(source)
            if self.limit is not None and steps:
                # Without a source, the only other way is to read everything.
                found = self._in_order(steps if source is not None else _PATIENCE * steps)
                if found is not None:
                    return found
        return self._of_all()

    def _of_all(self, source: _Source | None = None) -> list[Found]:
        """Test all that a source has, or all versions, and sort what is found."""
        # In the order of ids, which is that of the table.
        terms = [sql("v.id IN ({})", source.select)] if source is not None else []
        return self._run(self._statement(_BY_SCAN, *terms))

    def _versions(self) -> int:
        """About how many versions there are."""
        count: int | None = self.db.execute("SELECT max(id) FROM versions").fetchone()[0]
        return count or 0

    # In order

    def _in_order(self, steps: int) -> list[Found] | None:
        """Test in the order that an index has; None if none has it, or it takes too long."""
        first = self.query.order[0] if self.query.order else _BY_NAME_FIRST
        if first.field.name == "name":
            return self._try(self._statement(_BY_NAME, *self._reached("m.key")), steps)
        if first.field.name in _BY_COLUMN:
            rows = _BY_COLUMN[first.field.name]
            return self._try(self._statement(rows, *self._reached(f"v.{first.field.name}")), steps)
        if first.field.name == "metrics":
            return self._by_metric(first, steps)
        return None

    def _by_metric(self, first: Order, steps: int) -> list[Found] | None:
        """First what has the metric, in its order, then what has not."""
        found: list[Found] | None = []
        if self.after is None or self.after[0] is not None:
            name = sql("o.name = {}", metric_id(first.field))
            found = self._try(self._statement(_BY_METRIC, name, *self._reached("o.value"), first=Sql("o.value")), steps)
        if found is None or self.limit is None or len(found) == self.limit or self._requires(first.field):
            return found
        rest = evolve(
            self,
            query=Query(_both(self.query.condition, Missing(first.field)), self.query.order[1:]),
            after=self.after[1:] if self.after and self.after[0] is None else None,
            limit=self.limit - len(found),
        )
        return [*found, *((row, (None, *place)) for row, place in rest.found())]

    def _reached(self, column: str) -> list[Sql]:
        """What lets an index begin at the place of the last page."""
        if self.after is None:
            return []
        descending = bool(self.query.order) and self.query.order[0].descending
        # Without an order, the first of a place is the name's key as well.
        return [sql("{} {} {}", Sql(column), Sql("<=" if descending else ">="), self.after[0])]

    def _requires(self, field: Field) -> bool:
        """Whether only what has a field can be found: every test of it but «is null» says so, and its negation, too."""
        return any(_requires(condition, field) for condition in self._conditions)

    # Sources

    def _source(self, most: int) -> _Source | None:
        """The smallest source, if indexes have any; sources are counted up to one more than ``most``."""
        return None if self.query.condition is None else self._source_of(self.query.condition, most)

    def _source_of(self, condition: Condition, most: int) -> _Source | None:
        negated = isinstance(condition, Not)
        if isinstance(condition, Not):
            condition = condition.condition
        if isinstance(condition, Not):
            return self._source_of(condition.condition, most)
        if isinstance(condition, (And, Or)):
            parts = [Not(part) if negated else part for part in condition.conditions]
            return (
                self._smallest(parts, most) if isinstance(condition, And) is not negated else self._union(parts, most)
            )
        if not negated and (rare := rare_sql(condition)):
            return _Source((rare,), _FEW)
        select = source_sql(condition, negated=negated)
        return None if select is None else _Source((select,), self._count(select, most))

    def _smallest(self, conditions: Sequence[Condition], most: int) -> _Source | None:
        sources = [self._source_of(condition, most) for condition in conditions]
        return min(filter(None, sources), key=lambda source: source.count, default=None)

    def _union(self, conditions: Sequence[Condition], most: int) -> _Source | None:
        sources = []
        for condition in conditions:
            source = self._source_of(condition, most)
            if source is None:
                return None
            sources.append(source)
        selects = itertools.chain.from_iterable(source.selects for source in sources)
        return _Source(tuple(selects), sum(source.count for source in sources))

    def _count(self, select: Sql, most: int) -> int:
        counted = sql("SELECT count(*) FROM (SELECT 1 FROM ({}) LIMIT {})", select, most + 1)
        count: int = self.db.execute(counted.text, counted.values).fetchone()[0]
        return count

    # Statements

    @property
    def _conditions(self) -> tuple[Condition, ...]:
        """What has to be true, each."""
        condition = self.query.condition
        return condition.conditions if isinstance(condition, And) else () if condition is None else (condition,)

    def _terms(self) -> list[Sql]:
        """The conditions: those that an index may serve by themselves, then the others in one, the cheapest first."""
        conditions = sorted(self._conditions, key=cost_of)
        plain = [condition_sql(condition) for condition in conditions if cost_of(condition) <= 1]
        *others, last = [None, *(condition_sql(condition) for condition in conditions if cost_of(condition) > 1)]
        if last is None:
            return plain
        # SQLite asks the terms of an AND in an order of its own.
        failed = [sql("WHEN {} IS NOT TRUE THEN 0", other) for other in others if other is not None]
        return [*plain, sql("CASE {} ELSE {} END", joined(" ", failed), last) if failed else last]

    def _statement(self, rows: Sql, *terms: Sql, first: Sql | None = None) -> Sql:
        """The SELECT of the page: first of ids and places alone, since sorting moves whole rows.

        :param first: What the first value of the order is, if it is read from ``rows``.
        """
        order = self.query.order
        values = [value_sql(each.field) for each in order]
        if first is not None:
            values[0] = first
        columns = [sql("{} AS {}", value, Sql(name)) for value, name in zip(values, names(order), strict=False)]
        candidates = sql(
            "SELECT {} FROM {} WHERE {}",
            joined(", ", [Sql("v.id AS id"), *columns, Sql("m.key AS key"), Sql("v.sort_key AS sort_key")]),
            rows,
            joined(" AND ", [Sql("v.removed_at IS NULL"), *terms, *self._terms()]),
        )
        page = sql(
            "SELECT * FROM ({}) {} ORDER BY {} LIMIT {}",
            candidates,
            Sql("") if self.after is None else sql("WHERE {}", behind(order, self.after)),
            order_by(order),
            -1 if self.limit is None else self.limit,
        )
        return sql(
            "SELECT {}, {} FROM ({}) p CROSS JOIN versions v ON v.id = p.id CROSS JOIN models m ON m.id = v.model_id"
            " ORDER BY {}",
            joined(", ", (Sql(f"p.{name} AS {name}") for name in names(order))),
            Sql(COLUMNS),
            page,
            order_by(order),
        )

    def _run(self, statement: Sql) -> list[Found]:
        places = len(self.query.order) + 2
        rows = self.db.execute(statement.text, statement.values)
        return [(row_of(row[places:]), tuple(row[:places])) for row in rows]

    def _try(self, statement: Sql, steps: int) -> list[Found] | None:
        """The same, or None if it takes too long."""
        if any(map(reads_documents, self._conditions)):
            steps //= _SLOWER
        strides = iter(range(steps // _STRIDE))
        self.db.set_progress_handler(lambda: next(strides, None) is None, _STRIDE)
        try:
            return self._run(statement)
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise
            return None
        finally:
            self.db.set_progress_handler(None, 0)


def _requires(condition: Condition, field: Field) -> bool:
    """Whether only what has a field fulfils a condition. A test of what is missing is not true, nor is its negation."""
    test = condition.condition if isinstance(condition, Not) else condition
    if isinstance(test, Missing):
        return test.field == field and test is not condition
    return not isinstance(test, (Not, And, Or)) and test.field == field


def _both(condition: Condition | None, other: Condition) -> Condition:
    """One condition of two, in which the parts of the first stay parts."""
    if condition is None:
        return other
    return And((*condition.conditions, other)) if isinstance(condition, And) else And((condition, other))
