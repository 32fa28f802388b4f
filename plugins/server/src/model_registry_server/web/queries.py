"""What is searched for: the query as it was typed, the filters that were clicked, and the order."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

from model_registry import ModelRegistry, SearchPage
from model_registry.errors import InvalidQueryError
from model_registry_server.security.roles import Caller
from model_registry_server.visible import require_searchable

#: What is quoted is one piece, so that an order in it is none. Piece by piece: one pattern for all of them would try
#: every way to pair many quotes.
_PIECE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(?P<order>order\s+by)\b|.""", re.IGNORECASE | re.DOTALL)
#: Only words: no sign and no keyword of the language is among them.
_WORDS = re.compile(r"[^\s='\"<>!()]+(?:\s+[^\s='\"<>!()]+)*")
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "like", "between", "order"})
#: What a column of the table is called in a query.
ORDERS: Mapping[str, str] = {
    "name": "name",
    "version": "version",
    "type": "type",
    "format": "format",
    "size": "size",
    "registered": "registered_at",
}
FILTERS: Mapping[str, str] = {"format": "format", "type": "type", "tag": "tags", "alias": "alias"}


@frozen
class Asked:
    """What a reader asks for.

    :param typed: Words, or a query.
    :param filters: Values by field: ``format``, ``type``, ``tag``, ``alias``.
    :param sort: A column, with ``-`` before it for the highest first; empty for no order.
    """

    typed: str = ""
    filters: Mapping[str, str] = {}
    sort: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is asked for: then every model is listed once."""
        return not (self.typed.strip() or any(self.filters.values()) or self.sort)

    def query(self) -> str:
        """All of it, in the query language."""
        condition, order = _split(_as_query(self.typed))
        clicked = [f"{FILTERS[field]} = {quoted(value)}" for field, value in self.filters.items() if value]
        if clicked:
            condition = " and ".join([*([f"({condition})"] if condition else []), *clicked])
        return " ".join(filter(None, [condition, order or _order(self.sort)]))


def find(registry: ModelRegistry, caller: Caller, asked: Asked, after: str | None, limit: int) -> SearchPage:
    """A page of what is asked for, also of models that the caller may not see.

    :raises InvalidQueryError: whose ``column`` is one of what was typed, or None.
    """
    try:
        require_searchable(asked.query(), caller)
        return registry.search(asked.query(), limit=limit, after=after)
    except InvalidQueryError as error:
        if after is None:
            registry.search(asked.typed, limit=1)  # the mistake is there, most likely: then with its place
        raise InvalidQueryError(error.message, hint=error.hint, query=asked.typed, column=None) from error


def quoted(value: str) -> str:
    """A text as the language has it."""
    return "'" + value.replace("'", "''") + "'"


def _as_query(typed: str) -> str:
    """Words are looked for in names, descriptions and tags; anything else is a query already."""
    typed = typed.strip()
    if not _WORDS.fullmatch(typed) or _KEYWORDS & set(typed.lower().split()):
        return typed
    return " and ".join(_anywhere(word) for word in typed.split()[:20])


def _anywhere(word: str) -> str:
    pattern = quoted("%" + re.sub(r"([\\%_])", r"\\\1", word) + "%")
    return f"(name like {pattern} or description like {pattern} or tags = {quoted(word)})"


def _split(query: str) -> tuple[str, str]:
    """The condition and the order of a query."""
    place = next((piece.start() for piece in _PIECE.finditer(query) if piece["order"]), len(query))
    return query[:place].strip(), query[place:]


def _order(sort: str) -> str:
    column = sort.removeprefix("-")
    if column not in ORDERS:
        return ""
    return f"order by {ORDERS[column]}{' desc' if sort.startswith('-') else ''}"
