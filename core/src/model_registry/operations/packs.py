"""Packs: the store that has them, which of them are still needed, and what they save."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from model_registry.archive.disk import refusals
from model_registry.archive.pack import Head
from model_registry.archive.store import ArchivedBlobs
from model_registry.errors import ConfigurationError
from model_registry.operations.context import Context


def archive_of(context: Context) -> ArchivedBlobs:
    """The blob store, if it is one that archives.

    :raises ConfigurationError: if it is another.
    """
    blobs = context.blobs
    if not isinstance(blobs, ArchivedBlobs):
        raise ConfigurationError(f"blobs = {context.settings.blobs!r} cannot be archived", hint="use file:<folder>")
    return blobs


def collect_packs(context: Context, among: Collection[str] | None = None) -> tuple[int, int]:
    """Unlink packs of which nothing is needed any more; how many, and their bytes.

    What no version needs stays while something else is told by it.

    :param among: Only packs that hold one of these blobs.
    """
    blobs = context.blobs
    count = size = 0
    if not isinstance(blobs, ArchivedBlobs) or not blobs.packs.listing().heads:
        return 0, 0
    if among is not None and not any(sha256 in blobs.packs.listing().holders for sha256 in among):
        return 0, 0
    with refusals("packs cannot be collected"), blobs.packs.changing(wait=False) as alone:
        found = [head for head in blobs.packs.listing().heads.values() if alone]
        while unneeded := [head for head in found if not _is_needed(context, blobs, head)]:
            for head in unneeded:
                size += blobs.packs.remove(head.name)
                count += 1
            found = list(blobs.packs.listing().heads.values())
    return count, size


def _is_needed(context: Context, blobs: ArchivedBlobs, head: Head) -> bool:
    """Whether something in a pack is kept nowhere else, and needed by a version or by another blob.

    Nobody can begin to need it meanwhile: a registration that finds no plain file writes one, and who archives waits.
    """
    listing = blobs.packs.listing()
    only_here = [
        sha256
        for sha256, packed in head.blobs.items()
        if listing.holders[sha256] is head and not blobs.is_intact(sha256, packed.size)
    ]
    unneeded, _ = context.catalog.collect(only_here, lambda sha256: 0)
    others = {told for sha256 in only_here for told in listing.dependents(sha256)} - head.blobs.keys()
    return unneeded < len(only_here) or bool(others)


def archive_stats(context: Context) -> dict[str, Any]:
    """What is archived, and what it takes: see ``ModelRegistry.get_detailed_stats``."""
    blobs = context.blobs
    if not isinstance(blobs, ArchivedBlobs):
        return {}
    listing = blobs.packs.listing()
    packed = [head.blobs[sha256] for sha256, head in listing.holders.items()]
    methods: dict[str, dict[str, int]] = {}
    for blob in packed:
        for word, saving in blob.savings.items():
            method = methods.setdefault(word, {"before": 0, "stored": 0})
            method["before"] += saving.before
            method["stored"] += saving.stored
    return {
        "packs": len(listing.heads),
        "blobs": len(packed),
        "before_bytes": sum(blob.size for blob in packed),
        "stored_bytes": sum(head.size for head in listing.heads.values()),
        "methods": dict(sorted(methods.items())),
        "cache_bytes": blobs.cache.bytes(),
    }
