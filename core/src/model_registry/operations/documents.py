"""What the blobs alone tell of a version: its manifest, its metadata document, and the record of its registration."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from model_registry import manifest, provenance
from model_registry.actor import is_actor
from model_registry.blobs import BlobStore
from model_registry.catalog import VersionRow
from model_registry.clock import EPOCH
from model_registry.errors import IntegrityError, UnsafeModelError
from model_registry.files import REPAIR
from model_registry.manifest import Manifest
from model_registry.operations import metadata
from model_registry.operations.rows import row_for
from model_registry.operations.stored import manifest_bytes

_MOST_METADATA_BYTES = 64 << 20


@frozen
class Origin:
    """When a version was registered, and by whom.

    :param registered_at: Microseconds in UTC.
    :param blobs: (sha256, size, "") of the record and of what it names.
    """

    registered_at: int
    actor: str = "unknown"
    blobs: tuple[tuple[str, int, str], ...] = ()


def row_of_blobs(blobs: BlobStore, digest: str, origin: Origin, what: str) -> VersionRow:
    """The row of a version as its manifest and documents tell it.

    :param what: Names the version in errors.
    :raises IntegrityError: if the manifest or the metadata document is gone or damaged.
    :raises UnsafeModelError: if one of them is not what it should be.
    """
    data = manifest_bytes(blobs, digest, what)
    return row_of_manifest(blobs, digest, len(data), manifest.read(data, what=what), origin, what)


def row_of_manifest(blobs: BlobStore, digest: str, size: int, found: Manifest, origin: Origin, what: str) -> VersionRow:
    """The same, of a manifest of ``size`` bytes that was read."""
    document = metadata_document(blobs, found, what)
    documents = [(*found.metadata, ""), (*found.config, ""), (digest, size, "")]
    try:
        return row_for(
            metadata.read(document, what=what),
            document,
            digest,
            size=sum(file.size for file in found.files),
            registered_at=origin.registered_at,
            blobs=[*((file.sha256, file.size, file.path) for file in found.files), *documents, *origin.blobs],
        )
    except UnicodeDecodeError as error:
        raise UnsafeModelError(f"metadata of {what} is no UTF-8", path=what) from error


def metadata_document(blobs: BlobStore, found: Manifest, what: str) -> bytes:
    """The verified bytes of the metadata document that a manifest names.

    :raises IntegrityError: if it is gone or damaged.
    """
    sha256, _ = found.metadata
    document = blobs.read(sha256, _MOST_METADATA_BYTES)
    if document is None:
        raise IntegrityError(
            f"{what}: its metadata document is gone or was changed (blobs/sha256/{sha256})",
            hint=REPAIR,
            path=f"blobs/sha256/{sha256}",
            expected=sha256,
        )
    return document


def origin_of(sha256: str, size: int, found: provenance.Provenance) -> Origin:
    """What a provenance record of ``size`` bytes says."""
    facts = found.facts
    who = facts.get("actor") or "@".join(text for text in (facts.get("user"), facts.get("host")) if text)
    actor = who if is_actor(who) else "unknown"
    blobs = ((sha256, size, ""), (*found.content, ""))
    return Origin((found.registered_at - EPOCH) // timedelta(microseconds=1), actor, blobs)
