"""Copying one version into another registry, byte for byte. Nothing of the source is trusted: it may be anybody's.

What the manifest says is checked as it is when any version is read, every blob is hashed while it is copied, and only
digests become names of files. Made visible by the usual lease, claim and commit, so a crash leaves the whole version or
nothing, and what the target holds already is not even read in the source.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from model_registry import canonical_json, manifest
from model_registry.digests import is_sha256
from model_registry.errors import (
    IntegrityError,
    UnsafeModelError,
    UnsupportedFormatError,
    VersionExistsError,
    VersionNotFoundError,
)
from model_registry.files import StagedFiles, damage
from model_registry.manifest import Manifest
from model_registry.operations import metadata
from model_registry.operations.context import Context
from model_registry.operations.documents import metadata_document
from model_registry.operations.entries import entry_of
from model_registry.operations.lease import Registration
from model_registry.operations.rows import row_for
from model_registry.operations.selection import Selected
from model_registry.operations.stored import manifest_bytes
from model_registry.records import FileRecord, ModelEntry, ModelMetadata
from model_registry.staged import StagedFile

logger = logging.getLogger("model_registry")

#: Records of the origin of a version are small, and there is one for each time that it was registered.
MOST_RECORD_BYTES = 1 << 20
_MOST_RECORDS = 1_000


@frozen
class Version:
    """A version of the source, read and checked.

    :param records: (sha256, size) of what is kept beside it: when and where it was registered.
    """

    entry: ModelEntry
    described: ModelMetadata
    document: bytes
    manifest: Manifest
    manifest_size: int
    registered_at: int
    records: tuple[tuple[str, int], ...]

    def blobs(self) -> dict[str, int]:
        """The size of everything it needs, by digest."""
        return dict([*self.manifest.blobs(), (self.entry.digest, self.manifest_size), *self.records])


def read(source: Context, selected: Selected) -> Version:
    """What the source has.

    :raises VersionNotFoundError: if it has it no more.
    :raises IntegrityError: if its documents are damaged.
    :raises UnsafeModelError: if they contradict each other.
    """
    row = source.catalog.get(selected.name, selected.version)
    if row is None or row.digest != selected.digest:
        raise VersionNotFoundError(
            f"{selected.reference} was removed meanwhile", model=selected.name, version=selected.version
        )
    entry = entry_of(source, row)
    data = manifest_bytes(source.blobs, entry.digest, entry.reference)
    found = manifest.read(data, what=entry.reference)
    document = metadata_document(source.blobs, found, entry.reference)
    described = metadata.read(document, what=entry.reference)
    if (described.name, described.version) != (entry.name, entry.version):
        raise UnsafeModelError(
            f"the manifest of {entry.reference} is that of {described.name}:{described.version}",
            hint="the source's catalog was changed",
            path=entry.reference,
        )
    records = tuple(_records(source, entry, set(sizes_of(found, entry.reference))))
    return Version(entry, described, document, found, len(data), row.registered_at, records)


def sizes_of(found: Manifest, what: str) -> dict[str, int]:
    """The size of every file that a manifest names, by digest.

    :raises UnsafeModelError: if it gives one file two sizes.
    """
    sizes = dict(found.blobs())
    if len(sizes) != len(set(found.blobs())):
        raise UnsafeModelError(f"the manifest of {what} gives one file two sizes", path=what)
    return sizes


def existing(target: Context, selected: Selected) -> ModelEntry | None:
    """The same version in the target, None if it is not there.

    :raises VersionExistsError: if another is there under its name.
    """
    row = target.catalog.get(selected.name, selected.version)
    if row is None:
        return None
    if row.digest == selected.digest:
        return entry_of(target, row)
    raise VersionExistsError(
        f"{selected.reference} exists in the target with another digest",
        hint="one of the two must go, or get another name; versions are immutable",
        model=selected.name,
        version=row.version,
        digest=row.digest,
    )


def missing_bytes(target: Context, version: Version) -> dict[str, int]:
    """The sizes of the blobs that the target seems to lack, by digest."""
    return {sha256: size for sha256, size in version.blobs().items() if target.blobs.size(sha256) != size}


def copy(source: Context, target: Context, version: Version) -> tuple[ModelEntry, int]:
    """:func:`take` the version from another registry."""
    return take(target, version, partial(find, source, version))


def take(
    target: Context, version: Version, fetch: Callable[[str], Path], arrived: Mapping[Path, str] | None = None
) -> tuple[ModelEntry, int]:
    """Make the version visible in the target; returns its entry there, and the bytes that had to be copied.

    :param fetch: Gives a file with the bytes of a blob that the target lacks, by digest.
    :param arrived: Those of these files that may be moved, with the digests they had when they came.
    :raises IntegrityError: for a blob that is missing in the source, or has other bytes than it should.
    :raises UnsafeModelError: if the plugin of its format finds it broken.
    """
    with Registration(target, arrived) as registration:
        for sha256, size in version.blobs().items():
            registration.stage.add_known(sha256, size, partial(fetch, sha256))
        staged = registration.stage.finish()
        _check(target, version, staged)
        row = row_for(
            version.described,
            version.document,
            version.entry.digest,
            size=sum(file.size for file in version.manifest.files),
            registered_at=version.registered_at,
            blobs=_uses(version),
        )
        registration.commit(row, staged)
    entry = entry_of(target, row)
    logger.info("copied %s (%d bytes) as sha256:%s", entry.reference, entry.size, entry.digest)
    target.plugins.notify("registered", entry=entry)
    return entry, sum(file.record.size for file in staged if file.written is not None)


def find(source: Context, version: Version, sha256: str) -> Path:
    """A verified file of the source with the bytes of one of the version's blobs.

    :raises KeyError: for a blob of another version.
    """
    size = version.blobs()[sha256]
    path = source.blobs.local(sha256) if source.blobs.size(sha256) == size else source.blobs.fetch(sha256, size)
    if path is None:
        member = next((file.path for file in version.manifest.files if file.sha256 == sha256), "a document")
        what = f"{version.entry.reference}: {damage(source.blobs, FileRecord(member, size, sha256, ''))}"
        raise IntegrityError(what, hint="validate the registry that it is from", path=member, expected=sha256)
    return path


def _check(target: Context, version: Version, staged: list[StagedFile]) -> None:
    """Look at the structure, as when it is registered, if a plugin is there that can."""
    if not target.settings.auto_validate:
        return
    try:
        target.plugins.format(version.described.format)
    except UnsupportedFormatError:
        return
    by_digest = {file.record.sha256: file for file in staged}
    members = [evolve(by_digest[record.sha256], record=record) for record in version.manifest.files]
    for finding in target.plugins.validate(version.described.format, StagedFiles(members, target.blobs)):
        if finding.severity == "error":
            raise UnsafeModelError(f"refused: {finding}", path=finding.where)


def _uses(version: Version) -> Iterator[tuple[str, int, str]]:
    for file in version.manifest.files:
        yield file.sha256, file.size, file.path
    for sha256, size in (version.manifest.metadata, version.manifest.config, *version.records):
        yield sha256, size, ""
    yield version.entry.digest, version.manifest_size, ""


def _records(source: Context, entry: ModelEntry, named: set[str]) -> Iterator[tuple[str, int]]:
    """What the source keeps beside the version: records that refer to its manifest, and what these name."""
    others: dict[str, bytes] = {}
    listed = source.catalog.blobs_of(entry)
    for sha256, _ in islice(listed, len(named) + _MOST_RECORDS):
        if sha256 in named or sha256 == entry.digest or not is_sha256(sha256):
            continue
        data = source.blobs.read(sha256, MOST_RECORD_BYTES)
        if data is None:
            logger.warning("%s: a record of its origin (%s) is damaged, and was not copied", entry.reference, sha256)
        else:
            others[sha256] = data
    yield from records_among(others, entry)


def records_among(others: Mapping[str, bytes], entry: ModelEntry) -> Iterator[tuple[str, int]]:
    """(sha256, size) of the documents that tell of the origin of a version, and of what these name."""
    for sha256, data in others.items():
        wanted = _referring(data, entry)
        if wanted is not None and wanted <= others.keys():
            yield sha256, len(data)
            yield from ((each, len(others[each])) for each in sorted(wanted))


def _referring(data: bytes, entry: ModelEntry) -> set[str] | None:
    """What a record of this version names, None for anything else."""
    try:
        document = canonical_json.load(data, what=f"a record of {entry.reference}")
        if document["subject"]["digest"] != f"sha256:{entry.digest}":
            return None
        return {_digest(each) for each in (document["config"], *document["layers"])}
    except (UnsafeModelError, AttributeError, KeyError, TypeError):
        return None


def _digest(descriptor: Mapping[str, Any]) -> str:
    return str(descriptor["digest"]).removeprefix("sha256:")
