"""Statistics: what is registered, and what it takes."""

from __future__ import annotations

from typing import Any

import attrs

from model_registry.operations.context import Context
from model_registry.records import MEGABYTE


def stats(context: Context) -> dict[str, Any]:
    """See ``ModelRegistry.get_detailed_stats``."""
    counted = context.catalog.stats()
    threshold = context.settings.compression_threshold
    large = context.catalog.versions(min_size=int(threshold * MEGABYTE))
    return {
        "path": str(context.settings.path),
        **attrs.asdict(counted),
        "shared_bytes": max(0, counted.logical_bytes + counted.removed_bytes - counted.stored_bytes),
        "compression_threshold_mb": threshold,
        "above_compression_threshold": [f"{row.name}:{row.version}" for row in large],
    }
