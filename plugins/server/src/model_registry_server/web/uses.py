"""Names to choose from."""

from __future__ import annotations

from model_registry_server.security.roles import Caller
from model_registry_server.server import Server
from model_registry_server.web.grouping import models

_MOST = 300


def references(server: Server, caller: Caller) -> list[str]:
    """The first models that the caller may see, to be proposed while somebody types."""
    return [entry.reference for entry in models(server.registry, caller, None, _MOST).entries]
