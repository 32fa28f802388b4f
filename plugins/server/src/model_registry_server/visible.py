"""The versions that a caller may see, by name: found by the patterns of its token, not by going over all others; and
what it may search by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from heapq import merge
from typing import Any

from model_registry import InvalidNameError, InvalidQueryError, ModelEntry, ModelRegistry, fields_of_query
from model_registry_server.security.roles import Caller, Role

#: A name and a version, after which a page begins.
Place = tuple[str, str]

#: Fields of a query by which models are found out that a token is not for: what its own come from.
OF_OTHERS = frozenset({"parents.name", "parents.version", "parents.digest"})
#: Versions that are read at once, whoever asks: what is said of one may be megabytes.
FEW = 50


def visible_versions(
    registry: ModelRegistry,
    caller: Caller,
    after: Place | None,
    size: int,
    *,
    name: str | None = None,
    **filters: Any,
) -> Iterator[ModelEntry]:
    """The versions after a place, by name, then PEP 440.

    :param size: How many are wanted. No more than a few are read at once, of all patterns together if there are fewer
        patterns than that.
    :param name: A name or pattern that the caller asks for, instead of all that it may see.
    :param filters: The others of ``list_models``.
    """
    patterns = patterns_of(caller)
    if not caller.sees_all and (name is not None or patterns != caller.patterns):
        size = FEW  # of which some may not be seen
    if name is not None:
        listers = [partial(registry.list_models, name=name)]
    else:
        listers = [partial(list_of_pattern, registry, pattern) for pattern in patterns]
    size = max(min(size, FEW) // max(len(listers), 1), 1)
    lists = [_numbered(number, partial(each, **filters), after, size) for number, each in enumerate(listers)]
    taken: tuple[str, int] = "", 0
    for key, number, entry in merge(*lists, key=lambda found: found[0]):
        if key != taken[0]:
            taken = key, number
        if taken == (key, number) and caller.may(Role.READER, key):  # else another pattern has the same model
            yield entry


def require_searchable(query: str, caller: Caller) -> None:
    """Let a caller who may not see all ask for nothing that tells of others.

    What a search finds says whether its tests are true, so it would tell by and by what no answer does.

    :raises InvalidQueryError: for a field that tells of them, or a mistake in the query.
    """
    if caller.sees_all:
        return
    for field in fields_of_query(query):
        if field in OF_OTHERS:
            message = f"search: {field} is for tokens of all models, and this one is for some"
            hint = "leave it out; the lineage of a version tells what of it the token may see"
            raise InvalidQueryError(message, hint=hint, query=query, column=None)


def patterns_of(caller: Caller) -> tuple[str | None, ...]:
    """The patterns to look for; None stands for any name.

    In brackets, those of the registry and those of tokens do not mean quite the same.
    """
    return (None,) if caller.sees_all or "[" in "".join(caller.patterns) else caller.patterns


def list_of_pattern(registry: ModelRegistry, pattern: str | None, **filters: Any) -> list[ModelEntry]:
    """``list_models`` for a pattern of a token; nothing for one that can be no model's name."""
    try:
        return registry.list_models(name=pattern, **filters)
    except InvalidNameError:
        return []


def _numbered(
    number: int, listed: Callable[..., list[ModelEntry]], after: Place | None, size: int
) -> Iterator[tuple[str, int, ModelEntry]]:
    while True:
        page = listed(after=after, limit=size)
        for entry in page:
            yield entry.name.lower(), number, entry
        if len(page) < size or (page[-1].name, page[-1].version) == after:
            return
        after = page[-1].name, page[-1].version
        del page  # before the next one is read
