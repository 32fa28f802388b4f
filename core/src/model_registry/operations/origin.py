"""Where a version came from: the records beside it that its digest does not cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_registry import environment, provenance
from model_registry.errors import IntegrityError
from model_registry.operations.context import Context
from model_registry.operations.stored import read_manifest
from model_registry.provenance import Provenance
from model_registry.records import ModelEntry


def provenance_of(context: Context, entry: ModelEntry) -> Provenance | None:
    """The record of this very registration, None if the version has none.

    :raises IntegrityError: if it is damaged or gone.
    """
    found = list(_records(context, entry))
    # A version that was removed and registered again with the same bytes has two.
    return next((record for record in found if record.registered_at == entry.registered_at), None) or min(
        found, key=lambda record: record.registered_at, default=None
    )


def environment_of(context: Context, entry: ModelEntry) -> dict[str, Any] | None:
    """What its environment document says, None if it has none.

    :raises IntegrityError: if the document is damaged or gone.
    """
    found = provenance_of(context, entry)
    if found is None or found.environment is None:
        return None
    data = _read(context, entry, found.environment[0], environment.MOST_BYTES)
    return environment.read(data, what=entry.reference)


def _records(context: Context, entry: ModelEntry) -> Iterator[Provenance]:
    """The provenance records among the blobs that the version needs and its manifest does not name."""
    named = {sha256 for sha256, _ in read_manifest(context, entry.digest, entry.reference).blobs()} | {entry.digest}
    for sha256, _ in context.catalog.blobs_of(entry):
        if sha256 not in named and (context.blobs.size(sha256) or 0) <= provenance.MOST_BYTES:
            record = provenance.read(_read(context, entry, sha256, provenance.MOST_BYTES), what=entry.reference)
            if record is not None and record.subject == entry.digest:
                yield record


def _read(context: Context, entry: ModelEntry, sha256: str, limit: int) -> bytes:
    data = context.blobs.read(sha256, limit)
    if data is None:
        raise IntegrityError(
            f"{entry.reference}: a record of its origin is gone or was changed (blobs/sha256/{sha256})",
            hint="the model itself is not concerned",
            path=f"blobs/sha256/{sha256}",
            expected=sha256,
        )
    return data
