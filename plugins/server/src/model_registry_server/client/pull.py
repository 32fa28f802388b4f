"""Taking versions from the server: into the cache, or into any other registry."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_registry import ModelEntry, ModelRegistry, VersionNotFoundError
from model_registry_server.client.cache import Cache
from model_registry_server.client.downloads import Downloads
from model_registry_server.client.errors import misunderstood
from model_registry_server.client.http import Http, part
from model_registry_server.client.progress import Told
from model_registry_server.client.records import record
from model_registry_server.client.untold import untold

logger = logging.getLogger("model_registry")

#: The name of a blob is that of a file here, too.
_BLOB = re.compile(r"[0-9a-f]{64}")


class Pull:
    """Brings versions here."""

    def __init__(self, http: Http, cache: Cache, progress: Told) -> None:
        self._http = http
        self._cache = cache
        self._progress = progress

    def to_cache(self, entry: ModelEntry) -> ModelEntry:
        """The version as the cache has it, which gets it now if it does not have it."""
        held = self._cache.held(entry.name, entry.version, entry.digest)
        if held is None:
            with self._cache.lock(entry.reference):
                held = self._cache.held(entry.name, entry.version, entry.digest)
                if held is None:
                    self._cache.drop(entry.name, entry.version)
                    with untold():
                        held, size = self.into(self._cache.registry, entry)
                    logger.info("downloaded %s (%d bytes) into the cache", entry.reference, size)
            self._cache.note_use(held)
            self._cache.make_room(held)
        return held

    def into(self, target: ModelRegistry, entry: ModelEntry) -> tuple[ModelEntry, int]:
        """Let a registry take a version that it does not have.

        :returns: The version there, and the bytes that had to be fetched.
        """
        listed = blobs_of(self._http, entry)
        blobs: dict[str, int] = listed["blobs"]
        stored = target.stored_blobs(blobs)
        missing = {sha256: size for sha256, size in blobs.items() if sha256 not in stored}
        size = sum(missing.values()) + sum(blobs.values())  # each that came is looked at once more
        with (
            self._progress.operation(f"downloading {entry.reference}", bytes_total=size),
            self._cache.incoming() as folder,
        ):
            fetch = self._downloads(entry, blobs, folder)
            fetch.fetch_all(missing)
            came = target.receive_version(
                entry.digest,
                fetch,
                records=[sha256 for sha256 in blobs if sha256 != entry.digest],
                registered_at=entry.registered_at,
                arrived=fetch.arrived,
                exist_ok=True,
                name=entry.name,
            )
        return came, sum(missing.values())

    def _downloads(self, entry: ModelEntry, blobs: Mapping[str, int], folder: Path) -> Downloads:
        path = f"/models/{part(entry.name)}/blobs"
        return Downloads(self._http, path, {"version": entry.version}, blobs, folder)


def blobs_of(http: Http, entry: ModelEntry) -> dict[str, Any]:
    """What the server says that a version is made of.

    :raises VersionNotFoundError: if another version has taken its name.
    """
    document: dict[str, Any] = http.get(f"/models/{part(entry.name)}/blobs", version=entry.version)
    require_same(entry, document["digest"])
    blobs = record(document.get("blobs"), dict[str, int])
    if not all(_BLOB.fullmatch(sha256) and size >= 0 for sha256, size in blobs.items()):
        raise misunderstood(http.address, "answers something that is no registry's: blobs are sizes by SHA-256")
    return document


def require_same(entry: ModelEntry, digest: str) -> None:
    """:raises VersionNotFoundError: unless the version has still this digest."""
    if digest != entry.digest:
        message = f"{entry.reference} was removed, and another version has taken its name"
        raise VersionNotFoundError(message, hint="ask for it anew", model=entry.name, version=entry.version)
