"""``ModelRegistry("http://models:8000")``: the registry of a server, used like one in a folder."""

from __future__ import annotations

from model_registry_server.client.client import Client

__all__ = ["Client"]
