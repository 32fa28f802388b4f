"""Every model once, by name: with its latest version, whatever number of others it has."""

from __future__ import annotations

from attrs import frozen

from model_registry import ModelEntry, ModelRegistry
from model_registry_server.security.roles import Caller, Role
from model_registry_server.visible import Place, list_of_pattern, patterns_of


@frozen
class ModelPage:
    """A page of models.

    :param entries: The latest version of each.
    :param after: The name of the last one, if there are more.
    """

    entries: tuple[ModelEntry, ...]
    after: str | None


def models(registry: ModelRegistry, caller: Caller, after: str | None, limit: int) -> ModelPage:
    """The models that the caller may see, those after a name."""
    found: list[ModelEntry] = []
    firsts = _Firsts(registry, caller)
    name, place = after, None if after is None else _end_of(registry, after)
    while True:
        # One by one: whatever number of versions a model has, hardly any but its first and its latest is read.
        first = firsts.after(place)
        if first is None:
            return ModelPage(tuple(found), None)
        place = first.name, first.version
        if first.name == name:  # one that counts as later than the latest: a pre-release
            continue
        name = first.name
        latest = registry.get_model_info(name)
        if latest is None:  # removed just now
            continue
        place = name, latest.version
        if caller.may(Role.READER, name):
            if len(found) == limit:
                return ModelPage(tuple(found), found[-1].name)
            found.append(latest)


class _Firsts:
    """The first version after a place, of the models that a caller may see, and perhaps of some others."""

    def __init__(self, registry: ModelRegistry, caller: Caller) -> None:
        self._registry = registry
        self._patterns = patterns_of(caller)
        self._known: dict[str | None, ModelEntry | None] = {}

    def after(self, place: Place | None) -> ModelEntry | None:
        for pattern in self._patterns:
            known = self._known.get(pattern)
            if pattern not in self._known or (known and place and known.name.lower() <= place[0].lower()):
                found = list_of_pattern(self._registry, pattern, after=place, limit=1)
                self._known[pattern] = found[0] if found else None
        return min(filter(None, self._known.values()), key=lambda entry: entry.name.lower(), default=None)


def _end_of(registry: ModelRegistry, name: str) -> tuple[str, str]:
    """The place of the latest version of a model."""
    latest = registry.get_model_info(name)
    return name, "0" if latest is None else latest.version
