"""From an entry to the bytes on disk: its manifest, its files, and the digest that it has now."""

from __future__ import annotations

from model_registry import manifest, workers
from model_registry.blobs import BlobStore
from model_registry.digests import is_sha256, sha256_of_bytes
from model_registry.errors import IntegrityError, UnsafeModelError
from model_registry.files import REPAIR, StoredFiles, damage
from model_registry.manifest import Manifest
from model_registry.operations.context import Context
from model_registry.plain_files import sha256_of_plain
from model_registry.records import FileRecord, ModelEntry

#: A manifest lists about 400 bytes a file; this is for a hundred thousand files.
_MOST_MANIFEST_BYTES = 64 << 20
_MISSING = "0" * 64


def read_manifest(context: Context, digest: str, reference: str) -> Manifest:
    """The verified manifest of a version."""
    return manifest.read(manifest_bytes(context.blobs, digest, reference), what=reference)


def manifest_bytes(blobs: BlobStore, digest: str, reference: str) -> bytes:
    """:raises IntegrityError: if the manifest is gone or does not have its digest.
    :raises UnsafeModelError: if no manifest can have that digest.
    """
    if not is_sha256(digest):
        hint = "the catalog was changed; «model-registry rebuild --force» makes it anew"
        raise UnsafeModelError(f"{reference}: the digest of its manifest is {digest!r:.80}", hint=hint, path=reference)
    data = blobs.read(digest, _MOST_MANIFEST_BYTES)
    if data is None:
        state = "is missing" if blobs.size(digest) is None else "was changed"
        raise IntegrityError(
            f"{reference}: its manifest {state} on disk (blobs/sha256/{digest})",
            hint=REPAIR,
            path=f"blobs/sha256/{digest}",
            expected=digest,
        )
    return data


def files_of(context: Context, entry: ModelEntry, described_by: str | None = None) -> StoredFiles:
    """The files of a version, for plugins.

    :param described_by: What the catalog says of the version, which must be what its manifest says.
    :raises IntegrityError: if that is something else: the row was changed, and these files are of another model.
    """
    found = read_manifest(context, entry.digest, entry.reference)
    if described_by is not None and sha256_of_bytes(described_by.encode()) != found.metadata[0]:
        raise IntegrityError(
            f"{entry.reference}: the catalog describes another version than its manifest does",
            hint="the catalog was changed; «model-registry repair» corrects it by the manifest",
            path="catalog",
            expected=found.metadata[0],
        )
    return StoredFiles(entry.reference, found.files, context.blobs)


def damaged(context: Context, entry: ModelEntry, sha256: str, size: int) -> IntegrityError:
    """What to raise for a blob of a version whose bytes are gone or were changed."""
    try:
        paths = {file.sha256: file.path for file in read_manifest(context, entry.digest, entry.reference).files}
    except IntegrityError as error:
        return error
    record = FileRecord(paths.get(sha256, "a document"), size, sha256, "")
    message = f"{entry.reference}: {damage(context.blobs, record)}"
    return IntegrityError(message, hint=REPAIR, path=record.path, expected=sha256)


def checksum(context: Context, entry: ModelEntry) -> str:
    """The digest of a version by the bytes on disk now: that of its manifest, with every blob hashed anew."""

    def rehash(sha256: str) -> str:
        # What is missing has no digest; that of no bytes would pass for an empty file's.
        return _MISSING if context.blobs.size(sha256) is None else sha256_of_plain(context.blobs.local(sha256))

    try:
        data = manifest_bytes(context.blobs, entry.digest, entry.reference)
    except IntegrityError:
        return rehash(entry.digest)
    digests = [sha256 for sha256, _ in manifest.read(data, what=entry.reference).blobs()]
    found = dict(zip(digests, workers.run_all(rehash, digests), strict=True))
    return sha256_of_bytes(manifest.with_digests(data, found))
