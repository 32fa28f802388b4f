"""Every model once, by name: with its latest version, whatever number of others it has."""

from __future__ import annotations

from attrs import frozen

from model_registry import ModelEntry, ModelRegistry
from model_registry_server.security.roles import Caller, Role


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
    name, place = after, None if after is None else _end_of(registry, after)
    while True:
        # One by one: whatever number of versions a model has, hardly any but its first and its latest is read.
        first = next(iter(registry.list_models(after=place, limit=1)), None)
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


def _end_of(registry: ModelRegistry, name: str) -> tuple[str, str]:
    """The place of the latest version of a model."""
    latest = registry.get_model_info(name)
    return name, "0" if latest is None else latest.version
