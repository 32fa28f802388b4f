"""What a delivery says: the event, and the version that it is about, as the API tells them."""

from __future__ import annotations

import json
from typing import Any

from model_registry import Event, ModelRegistry, ModelRegistryError
from model_registry.documents import plain
from model_registry_server.documents import listed

#: Bytes of the longest document of a version that is sent along; of a longer one the receiver may ask the API.
_MOST_BYTES = 256 * 1024


class Versions:
    """The documents of versions as they are now, each asked for once."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str], Any] = {}

    def of(self, event: Event) -> Any:
        """The document of an event's version; None if it is about a model, or the version is gone."""
        if event.version is None:
            return None
        key = event.model, event.version
        if key not in self._known:
            self._known[key] = self._document(*key)
        return self._known[key]

    def _document(self, name: str, version: str) -> Any:
        try:
            entry = self._registry.get_model_info(name, version)
        except ModelRegistryError:  # damaged: «validate» tells of it, and the event is sent anyway
            return None
        document = None if entry is None else plain(listed(entry, None))
        return document if len(json.dumps(document)) <= _MOST_BYTES else None


def body_of(id: str, event: Event, version: Any) -> str:
    """The JSON that is sent, in ASCII."""
    return json.dumps({"id": id, "event": plain(event), "version": version}, separators=(",", ":"))
