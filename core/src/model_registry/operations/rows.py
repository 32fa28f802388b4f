"""From a version's documents to its row in the catalog."""

from __future__ import annotations

from collections.abc import Iterable

from model_registry.catalog import VersionRow
from model_registry.records import ModelMetadata


def row_for(
    metadata: ModelMetadata,
    document: bytes,
    digest: str,
    *,
    size: int,
    registered_at: int,
    blobs: Iterable[tuple[str, int, str]],
) -> VersionRow:
    """The row to commit.

    :param document: The metadata document, of which ``metadata`` is what it says.
    :param size: Bytes of the members.
    :param blobs: (sha256, size, path) of everything the version needs; the path is empty for what is no member.
    """
    return VersionRow(
        name=metadata.name,
        version=metadata.version,
        digest=digest,
        format=metadata.format,
        model_type=metadata.model_type,
        size=size,
        metadata=document.decode(),
        registered_at=registered_at,
        blobs=tuple(blobs),
        metrics=metadata.performance_metrics,
        labels=tuple(metadata.tags),
        parents=tuple(metadata.parents),
    )
