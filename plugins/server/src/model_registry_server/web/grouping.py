"""Every model once, by name: with its latest version, whatever number of others it has."""

from __future__ import annotations

from attrs import frozen

from model_registry import ModelEntry, ModelRegistry
from model_registry_server.security.roles import Caller, Role

#: So many versions are read at once: of most models, there are few.
_STEP = 100


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
    place = None if after is None else _end_of(registry, after)
    while True:
        page = registry.list_models(after=place, limit=_STEP)
        for name in dict.fromkeys(entry.name for entry in page):
            if caller.may(Role.READER, name) and (not found or found[-1].name != name) and name != after:
                latest = registry.get_model_info(name)
                found += [] if latest is None else [latest]
            if len(found) > limit:
                return ModelPage(tuple(found[:limit]), found[limit - 1].name)
        if len(page) < _STEP:
            return ModelPage(tuple(found), None)
        place = _end_of(registry, page[-1].name)


def _end_of(registry: ModelRegistry, name: str) -> tuple[str, str]:
    """The place of the latest version of a model, so that a thousand older ones are not read."""
    latest = registry.get_model_info(name)
    return name, "0" if latest is None else latest.version
