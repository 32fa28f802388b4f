"""Versions that are made here, of a model in memory or of a version of the server, and then given to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from model_registry import ModelEntry, ModelRegistry, VersionExistsError, remotes
from model_registry.errors import ModelNotFoundError
from model_registry_server.client.connection import Connection
from model_registry_server.client.references import LATEST, parents_of
from model_registry_server.client.untold import untold

logger = logging.getLogger("model_registry")

#: Makes a version in the cache: of the version there, with this number.
Make = Callable[[ModelRegistry, ModelEntry, str], ModelEntry]


def register(
    server: Connection,
    name: str,
    model: Any,
    model_format: str | None = None,
    *,
    version: str | None = None,
    parent: Any = (),
    exist_ok: bool = False,
    **given: Any,
) -> tuple[ModelEntry, bool]:
    """Register a model here, and give it to the server: the version, and whether it is new."""
    remotes.check_model_name(name)
    known = None if version is None else _known(server, name, remotes.check_version(version))
    if known is not None and not exist_ok:
        raise _exists(known, "is registered already")
    parents = parents_of(parent, server.resolve)
    registry = server.cache.registry

    def make(number: str) -> ModelEntry:
        with untold():
            return registry.register_model(
                name, model, model_format, version=number, parent=parents, exist_ok=known is not None, **given
            )

    if known is not None:
        _require_same(server, known, make)
        return known, False
    entry = server.entry(server.push.made(name, version, make, exist_ok=exist_ok))
    _note(server, entry)
    return entry, True


def make_here(
    server: Connection, name: str, version: str, make: Make, *, new_name: str | None, new_version: str | None
) -> ModelEntry:
    """Make another version of one of the server's, and give it to the server."""
    source = server.resolve(name, version)
    target = remotes.check_model_name(new_name or source.name)
    known = None if new_version is None else _known(server, target, remotes.check_version(new_version))
    if known is not None:
        raise _exists(known, "is registered already")
    pulled = server.pulled(source)
    registry = server.cache.registry

    def make_untold(number: str) -> ModelEntry:
        with untold():
            return make(registry, pulled, number)

    entry = server.entry(server.push.made(target, new_version, make_untold))
    _note(server, entry)
    return entry


def pull_for_loading(server: Connection, entry: ModelEntry) -> ModelEntry:
    """The version in the cache, with those that it cannot be loaded without."""
    for parent in entry.metadata.parents:
        if parent.relation == "adapter" and parent.digest is not None and parent.version is not None:
            base = _known(server, parent.name, parent.version)
            if base is not None and base.digest == parent.digest:
                pull_for_loading(server, base)
    return server.pulled(entry)


def can_be_sent(options: Mapping[str, Any]) -> bool:
    """Whether options are of the types of JSON, so that they come back as they were."""
    try:
        return bool(json.loads(json.dumps(dict(options), allow_nan=False)) == dict(options))
    except (TypeError, ValueError, RecursionError):
        return False


def _known(server: Connection, name: str, version: str = LATEST) -> ModelEntry | None:
    try:
        return server.resolve(name, version)
    except ModelNotFoundError:
        return None


def _require_same(server: Connection, known: ModelEntry, make: Callable[[str], ModelEntry]) -> None:
    """:raises VersionExistsError: if what is registered is not what the server has."""
    cache = server.cache
    with cache.lock(known.reference):
        cache.drop(known.name, known.version, but=known.digest)
        made = make(known.version)
        if made.digest != known.digest:
            cache.drop(known.name, known.version)
            raise _exists(known, "is registered already, with another digest: model or metadata differ")


def _exists(known: ModelEntry, what: str) -> VersionExistsError:
    hint = "register another version" if "digest" in what else "versions are immutable: register another version"
    return VersionExistsError(
        f"{known.reference} {what}", hint=hint, model=known.name, version=known.version, digest=known.digest
    )


def _note(server: Connection, entry: ModelEntry) -> None:
    """Tell of a version that the server has now, and remember that the cache has it."""
    size, kind = entry.size, entry.metadata.format
    logger.info("registered %s (%s, %d bytes) as sha256:%s", entry.reference, kind, size, entry.digest)
    held = server.cache.held(entry.name, entry.version, entry.digest)
    if held is not None:
        server.cache.note_use(held)
        server.cache.make_room(held)
