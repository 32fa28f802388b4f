"""Entries: rows of the catalog as users see them, and the way back from an entry to its bytes."""

from __future__ import annotations

from model_registry import manifest, workers
from model_registry.catalog import VersionRow
from model_registry.clock import moment
from model_registry.digests import sha256_of_bytes, sha256_of_file
from model_registry.errors import IntegrityError, ModelNotFoundError, VersionNotFoundError
from model_registry.files import StoredFiles
from model_registry.manifest import Manifest
from model_registry.names import check_model_name
from model_registry.operations import metadata
from model_registry.operations.context import Context
from model_registry.records import FileRecord, ModelEntry
from model_registry.versions import check_version

LATEST = "latest"


def entry_of(context: Context, row: VersionRow) -> ModelEntry:
    """A row as users see it."""
    return ModelEntry(
        metadata=metadata.read(row.metadata, what=f"{row.name}:{row.version}"),
        digest=row.digest,
        size=row.size,
        registered_at=moment(row.registered_at),
        removed_at=None if row.removed_at is None else moment(row.removed_at),
        inspector=Inspector(context),
    )


def find(context: Context, name: str, version: str = LATEST) -> VersionRow | None:
    """The row of a visible version, or of the latest one.

    :raises InvalidNameError: for what can be no name or version.
    """
    check_model_name(name)
    if version == LATEST:
        return context.catalog.latest(name)
    return context.catalog.get(name, check_version(version))


def require(context: Context, name: str, version: str = LATEST) -> VersionRow:
    """Like :func:`find`, but it must exist.

    :raises ModelNotFoundError: naming models that are called nearly so.
    :raises VersionNotFoundError: naming the versions there are.
    """
    row = find(context, name, version)
    if row is not None:
        return row
    known = [other.version for other in context.catalog.versions(name=name)]
    if known:
        shown = ", ".join([*(["…"] if len(known) > 5 else []), *known[-5:]])
        raise VersionNotFoundError(
            f"model {name!r} has no version {version!r}", hint=f"it has {shown}", model=name, version=version
        )
    near = context.catalog.similar_names(name)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "«model-registry list» shows all models"
    raise ModelNotFoundError(f"there is no model {name!r}", hint=hint, model=name)


def read_manifest(context: Context, digest: str, reference: str) -> Manifest:
    """The verified manifest of a version."""
    return manifest.read(manifest_bytes(context, digest, reference), what=reference)


def manifest_bytes(context: Context, digest: str, reference: str) -> bytes:
    """:raises IntegrityError: if the manifest is gone or does not have its digest."""
    try:
        data = context.blobs.local(digest).read_bytes()
    except FileNotFoundError:
        data = b""
    if sha256_of_bytes(data) != digest:
        state = "was changed" if data else "is missing"
        raise IntegrityError(
            f"{reference}: its manifest {state} on disk (blobs/sha256/{digest})",
            hint="load another version, or register the same model again",
            path=f"blobs/sha256/{digest}",
            expected=digest,
        )
    return data


def files_of(context: Context, entry: ModelEntry) -> StoredFiles:
    """The files of a version, for plugins."""
    return StoredFiles(entry.reference, read_manifest(context, entry.digest, entry.reference).files, context.blobs)


class Inspector:
    """What an entry needs to look at its own bytes."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def files(self, entry: ModelEntry) -> tuple[FileRecord, ...]:
        return read_manifest(self._context, entry.digest, entry.reference).files

    def checksum(self, entry: ModelEntry) -> str:
        """The digest of the version by the bytes on disk now."""
        try:
            data = manifest_bytes(self._context, entry.digest, entry.reference)
        except IntegrityError:
            return self._hash(entry.digest)
        digests = [sha256 for sha256, _ in manifest.read(data, what=entry.reference).blobs()]
        found = dict(zip(digests, workers.run_all(self._hash, digests), strict=True))
        return sha256_of_bytes(manifest.with_digests(data, found))

    def _hash(self, sha256: str) -> str:
        try:
            return sha256_of_file(self._context.blobs.local(sha256))
        except FileNotFoundError:
            return sha256_of_bytes()
