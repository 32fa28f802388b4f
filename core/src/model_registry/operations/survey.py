"""Looking through the blobs for what they tell of versions, when there is no catalog to ask."""

from __future__ import annotations

from attrs import Factory, frozen

from model_registry import manifest, provenance
from model_registry.blobs import BlobStore
from model_registry.errors import ModelRegistryError
from model_registry.operations.documents import Origin, origin_of, row_of_blobs
from model_registry.records import Finding

_LOST = "a catalog cannot have it; register the same model again, or put the blob back from a copy and rebuild again"


@frozen
class Survey:
    """What was found.

    :param versions: (name, version) of every manifest that can be read with its metadata, by digest.
    :param origins: The records of a version's registrations, the earliest first, by digest.
    :param members: The digests of all files of all versions: what is among them may be anything.
    :param present: The digests of all blobs, archived ones too.
    :param findings: What cannot be read.
    """

    versions: dict[str, tuple[str, str]] = Factory(dict)
    origins: dict[str, list[Origin]] = Factory(dict)
    members: set[str] = Factory(set)
    present: set[str] = Factory(set)
    findings: list[Finding] = Factory(list)


def survey(blobs: BlobStore) -> Survey:
    """Read every manifest, metadata document and provenance record."""
    found = Survey()
    records = []
    for sha256 in sorted(blobs.digests()):
        found.present.add(sha256)
        head = blobs.head(sha256, len(manifest.START))
        if head == manifest.START:
            _note_version(blobs, sha256, found)
        elif head.startswith(provenance.START):
            records.append(sha256)
    found.present.update(blobs.archived())
    for sha256 in records:
        if sha256 not in found.members:
            _note_origin(blobs, sha256, found)
    for origins in found.origins.values():
        origins.sort(key=lambda origin: origin.registered_at)
    return found


def _note_version(blobs: BlobStore, digest: str, found: Survey) -> None:
    try:
        row = row_of_blobs(blobs, digest, Origin(0), f"the version sha256:{digest}")
    except ModelRegistryError as error:
        found.findings.append(Finding("error", "version-lost", f"blobs/sha256/{digest}", error.message, _LOST))
        return
    found.versions[digest] = (row.name, row.version)
    found.members.update(sha256 for sha256, _, path in row.blobs if path)


def _note_origin(blobs: BlobStore, sha256: str, found: Survey) -> None:
    where = f"blobs/sha256/{sha256}"
    data = blobs.read(sha256, provenance.MOST_BYTES)
    if data is None:
        if (blobs.size(sha256) or 0) <= provenance.MOST_BYTES:
            message = "a record of who registered a version, and when, is damaged"
            found.findings.append(Finding("warning", "record-damaged", where, message, ""))
        return
    try:
        record = provenance.read(data, what=where)
    except ModelRegistryError:  # or a user's file that begins likewise
        return
    if record is not None:
        found.origins.setdefault(record.subject, []).append(origin_of(sha256, len(data), record))
