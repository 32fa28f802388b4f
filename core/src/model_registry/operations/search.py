"""Searches: from a query's text to a page of entries, and from page to page."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from model_registry.digests import sha256_of_bytes
from model_registry.errors import InvalidQueryError
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of
from model_registry.records import SearchPage
from model_registry.search import Query, parse, text_of

if TYPE_CHECKING:
    from model_registry.catalog import Place

_LONGEST_CURSOR = 100_000


def search(context: Context, text: str, *, limit: int | None, after: str | None) -> SearchPage:
    """A page of the versions that fulfil a query.

    :raises InvalidQueryError: for a mistake in the query, or a cursor that is not one of this query.
    """
    query = parse(text)
    if limit is not None and limit < 1:
        raise InvalidQueryError(f"search: limit = {limit}", hint="use 1 or more", query=text, column=None)
    place = None if after is None else _place(text, query, after)
    # One more tells whether there are more.
    found = context.catalog.search(query, after=place, limit=None if limit is None else limit + 1)
    cursor = None
    if limit is not None and len(found) > limit:
        found = found[:limit]
        cursor = _cursor(query, found[-1][1])
    return SearchPage(tuple(entry_of(context, row) for row, _ in found), cursor)


def _cursor(query: Query, place: Place) -> str:
    content = json.dumps([_mark(query, place), *place], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _place(text: str, query: Query, cursor: str) -> Place:
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError("too long")
        content = base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars="-_", validate=True)
        mark, *values = json.loads(content)
        place = tuple(values)
        if mark != _mark(query, place) or not _is_place(query, place):
            raise ValueError("another mark, or no place")
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidQueryError(
            "search: the cursor is not one of this query",
            hint="pass the cursor of the page before, with the same query",
            query=text,
            column=None,
        ) from error
    return place


def _is_place(query: Query, place: tuple[object, ...]) -> bool:
    """Whether a cursor holds what a place does: somebody may have made it."""
    ties = place[len(query.order) :]
    return len(ties) == 2 and all(isinstance(value, str) for value in ties) and all(map(_is_value, place))


def _is_value(value: object) -> bool:
    """Whether SQLite can be given it."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode() == value
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, float)


def _mark(query: Query, place: Place) -> str:
    """What tells a cursor of one query from that of another, and from what was cut or typed wrong.

    It is no secret: whoever makes a cursor of their own gets a page from elsewhere in the same list, no more.
    """
    return sha256_of_bytes(json.dumps([text_of(query), *place]).encode())[:16]
