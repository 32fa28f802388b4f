"""A registry for a team: a REST API over a folder, a client that is used like a local registry, and web pages.

Names are imported when they are first used: the command line finds the plugin without waiting for a web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_registry_server.client import Client as Client
    from model_registry_server.hooks import Plugin as Plugin
    from model_registry_server.listening.own_process import running as running
    from model_registry_server.options import ServerOptions as ServerOptions
    from model_registry_server.webhooks.signing import verify as verify

_HOMES = {
    "Client": "client",
    "Plugin": "hooks",
    "ServerOptions": "options",
    "running": "listening.own_process",
    "verify": "webhooks.signing",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
