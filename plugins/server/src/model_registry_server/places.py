"""Where files lie that can be made again, on the side of the server and of its clients."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path


def cache_folder() -> Path:
    """The user's folder for them, by the XDG Base Directory Specification."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    if Path(base).is_absolute():
        return Path(base) / "model_registry"
    try:
        return Path.home() / ".cache" / "model_registry"
    except RuntimeError:  # a user id without a home, as in many containers
        return Path(tempfile.gettempdir()) / f"model_registry-{os.getuid()}"


def export_folder(registry: Path) -> Path:
    """Of a registry's exports, which may not lie in the registry itself."""
    return cache_folder() / "exports" / _short(str(registry.resolve()))


def client_folder(address: str) -> Path:
    """Of what a client has of a server."""
    return cache_folder() / "servers" / _short(address)


def _short(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
