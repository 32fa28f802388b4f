"""Statistics: what is registered, and what it takes."""

from __future__ import annotations

from typing import Any

import attrs

from model_registry.operations.context import Context
from model_registry.operations.packs import archive_stats
from model_registry.records import MEGABYTE


def stats(context: Context) -> dict[str, Any]:
    """See ``ModelRegistry.get_detailed_stats``."""
    counted = context.catalog.stats()
    threshold = context.settings.compression_threshold
    archived = archive_stats(context)
    # What the catalog counts as stored lies there plain, unless a pack holds it alone.
    only_packed = sum(size for sha256, size in context.blobs.archived().items() if context.blobs.size(sha256) is None)
    large = context.catalog.versions(min_size=int(threshold * MEGABYTE))
    return {
        "path": str(context.settings.path),
        **attrs.asdict(counted),
        "disk_bytes": counted.stored_bytes - only_packed + archived.get("stored_bytes", 0),
        "archive": archived,
        "shared_bytes": max(0, counted.logical_bytes + counted.removed_bytes - counted.stored_bytes),
        "compression_threshold_mb": threshold,
        "above_compression_threshold": [f"{row.name}:{row.version}" for row in large],
    }
