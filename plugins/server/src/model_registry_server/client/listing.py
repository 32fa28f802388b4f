"""Lists of a server, page by page."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from model_registry import Event, InvalidQueryError, ModelEntry, SearchPage
from model_registry_server.client.answer import Answer
from model_registry_server.client.connection import Connection
from model_registry_server.client.http import PATIENT, part
from model_registry_server.client.records import Document, events_of

#: The most that a server gives at once.
_PAGE = 1000
#: What a comparison may tell very many of.
_COMPARED = ("files", "tensors", "modules")


def list_models(
    server: Connection, after: tuple[str, str] | None, limit: int | None, **filters: Any
) -> list[ModelEntry]:
    """The versions that filters let through."""
    cursor = None if after is None else _cursor(*after)
    found: list[ModelEntry] = []
    while limit is None or len(found) < limit:
        size = _PAGE if limit is None else min(_PAGE, limit - len(found))
        page = server.http.get("/models", after=cursor, limit=size, **filters)
        found += server.entries(page.several("versions"))
        cursor = _next(page, cursor)
        if cursor is None:
            break
    return found


def search(server: Connection, query: str, limit: int | None, after: str | None) -> SearchPage:
    """A page of what a query finds. The server may leave out what the caller may not see, and goes on then."""
    if limit is not None and limit < 1:
        raise InvalidQueryError(f"search: limit = {limit}", hint="use 1 or more", query=query, column=None)
    found: list[ModelEntry] = []
    while limit is None or len(found) < limit:
        size = _PAGE if limit is None else min(_PAGE, limit - len(found))
        page = server.http.get("/search", query=query, after=after, limit=size)
        found += server.entries(page.several("versions"))
        after = _next(page, after)
        if after is None:
            break
    return SearchPage(tuple(found), after)


def history(
    server: Connection,
    name: str | None,
    version: str | None,
    alias: str | None,
    before: int | None,
    limit: int | None,
) -> list[Event]:
    """What was changed. Of no model in particular, the server tells everything, which is sifted here."""
    wanted = _wanted(server, name, version, alias, before)
    return list(wanted) if limit is None else [event for event, _ in zip(wanted, range(limit), strict=False)]


def comparison(server: Connection, **told: Any) -> Document:
    """All of a comparison, of which a page tells some files, tensors and modules."""
    found = server.http.get("/compare", timeout=PATIENT, **told)
    counts = {kind: found.count(f"{kind.removesuffix('s')}_count") for kind in _COMPARED}
    whole = {kind: found.several(kind) for kind in _COMPARED}
    while missing := [kind for kind in _COMPARED if len(whole[kind]) < counts[kind]]:
        page = server.http.get("/compare", timeout=PATIENT, start=len(whole[missing[0]]), **told)
        for kind in missing:
            if not page.several(kind):
                raise page.wrong(kind)  # it said that there is more
            whole[kind] += page.several(kind)
    return {**found, **whole}


def _wanted(
    server: Connection, name: str | None, version: str | None, alias: str | None, before: int | None
) -> Iterator[Event]:
    path = "/history" if name is None else f"/models/{part(name)}/history"
    told: dict[str, Any] = {} if name is None else {"version": version, "alias": alias}
    while True:
        page = server.http.get(path, before=before, limit=_PAGE, **told)
        events = events_of(page.several("events"))
        for event in events:
            if name is not None or _is_about(event, version, alias):
                yield event
        before = _next(page, before)
        if before is None:
            return


def _next(page: Answer, asked: object) -> Any:
    """Where the next page begins; None if there is none.

    :raises StorageError: for the same place again, from which nobody gets on.
    """
    cursor = page["cursor"]
    if cursor is not None and cursor == asked:
        raise page.wrong("cursor")
    return cursor


def _is_about(event: Event, version: str | None, alias: str | None) -> bool:
    is_alias = event.action.startswith("alias-") and event.subject == alias
    return (version is None or event.version == version) and (alias is None or is_alias)


def _cursor(name: str, version: str) -> str:
    text = json.dumps([name, version], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
