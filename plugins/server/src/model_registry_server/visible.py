"""The versions that a caller may see, by name: found by the patterns of its token, not by going over all others."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Any

from model_registry import ModelEntry, ModelRegistry
from model_registry_server.security.roles import Caller, Role

#: A name and a version, after which a page begins.
Place = tuple[str, str]

_PAGE = 500


def visible_versions(
    registry: ModelRegistry, caller: Caller, after: Place | None, size: int, **filters: Any
) -> Iterator[ModelEntry]:
    """The versions after a place, by name, then PEP 440.

    :param size: How many are wanted.
    :param filters: Of ``list_models``.
    """
    patterns = patterns_of(caller) if filters.get("name") is None else (filters["name"],)
    if not caller.sees_all and patterns != caller.patterns:
        size = max(size, _PAGE)  # of which some may not be seen
    asked = [{**filters, "name": pattern} for pattern in patterns]
    lists = [_numbered(number, registry, after, size, each) for number, each in enumerate(asked)]
    taken: tuple[str, int] = "", 0
    for name, number, entry in merge(*lists, key=lambda found: found[0]):
        if name != taken[0]:
            taken = name, number
        if taken == (name, number) and caller.may(Role.READER, name):  # else another pattern has the same model
            yield entry


def patterns_of(caller: Caller) -> tuple[str | None, ...]:
    """The patterns to look for; None stands for any name.

    In brackets, those of the registry and those of tokens do not mean quite the same.
    """
    return (None,) if caller.sees_all or "[" in "".join(caller.patterns) else caller.patterns


def _numbered(
    number: int, registry: ModelRegistry, after: Place | None, size: int, filters: dict[str, Any]
) -> Iterator[tuple[str, int, ModelEntry]]:
    while True:
        page = registry.list_models(after=after, limit=size, **filters)
        for entry in page:
            yield entry.name.lower(), number, entry
        if len(page) < size or (page[-1].name, page[-1].version) == after:
            return
        after = page[-1].name, page[-1].version
