"""What a query asks for, told without running it."""

from __future__ import annotations

from model_registry.search.parser import parse
from model_registry.search.tree import fields_of


def fields_of_query(query: str) -> tuple[str, ...]:
    """The fields that a query tests or orders by, each once, as ``docs/reference/search.md`` names them, without keys.

    :raises InvalidQueryError: with the column of the mistake in the query.
    """
    return tuple(dict.fromkeys(field.name for field in fields_of(parse(query))))
