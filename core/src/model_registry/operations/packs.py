"""Packs: the store that has them, which of them are still needed, and what they save."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
    if not isinstance(blobs, ArchivedBlobs):
        return 0, 0
    holders = blobs.packs.listing().holders
    if not holders or (among is not None and not any(sha256 in holders for sha256 in among)):
        return 0, 0
    with refusals("packs cannot be collected"), blobs.packs.changing(wait=False) as alone:
        unneeded = _unneeded(context, blobs) if alone else []
        sizes = [blobs.packs.remove(name) for name in unneeded]
    return len(sizes), sum(sizes)


def _unneeded(context: Context, blobs: ArchivedBlobs) -> list[str]:
    """The packs of which everything is kept elsewhere, or needed by no version and by no blob of another pack.

    Nobody can begin to need it meanwhile: a registration that finds no plain file writes one, and who archives waits.
    """
    listing = blobs.packs.listing()
    garbage = unneeded_blobs(context, listing.holders)
    only_here = {
        sha256
        for sha256, head in listing.holders.items()
        if blobs.size(sha256) is None or not blobs.is_intact(sha256, head.blobs[sha256].size)
    }
    left = dict(listing.heads)

    def is_needed(head: Head) -> bool:
        mine = {sha256 for sha256 in head.blobs if sha256 in only_here and listing.holders[sha256] is head}
        others = (told for sha256 in mine for told in listing.told_by(sha256) if told not in head.blobs)
        return not mine <= garbage or any(listing.holders[told].name in left for told in others)

    while unneeded := [name for name, head in left.items() if not is_needed(head)]:
        for name in unneeded:
            del left[name]
    return [name for name in listing.heads if name not in left]


def unneeded_blobs(context: Context, digests: Iterable[str]) -> set[str]:
    """Those of the blobs that no version needs, and no lease claims."""
    found: set[str] = set()

    def note(sha256: str) -> int:
        found.add(sha256)
        return 0

    context.catalog.collect(sorted(digests), note)
    return found


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
