"""Taking a version from where no registry can be opened, such as a server's: blob by blob, beginning with its manifest.

Nothing of it is trusted. A version is what its manifest says, and every file is verified against its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from model_registry import manifest
from model_registry.clock import EPOCH, moment, now
from model_registry.digests import is_sha256, sha256_of_bytes
from model_registry.errors import IntegrityError, UnsafeModelError, VersionExistsError
from model_registry.names import name_key
from model_registry.operations import metadata, transfer
from model_registry.operations.context import Context
from model_registry.operations.selection import Selected, stored_blobs
from model_registry.plain_files import open_plain
from model_registry.records import ModelEntry

#: Manifests and metadata documents are small; this is for a hundred thousand files.
_MOST_BYTES = 64 << 20


def receive(
    target: Context,
    digest: str,
    fetch: Callable[[str], Path],
    *,
    records: Iterable[str],
    registered_at: datetime | None,
    arrived: Mapping[Path, str],
    exist_ok: bool,
    name: str | None,
    borrow: bool,
) -> ModelEntry:
    """See ``ModelRegistry.receive_version``."""
    version = _read(digest, fetch, records, registered_at)
    if name is not None and name_key(version.entry.name) != name_key(name):
        raise UnsafeModelError(f"the version is one of {version.entry.name!r}, not of {name!r}", path=digest)
    if not borrow:
        _require_sent(target, version, set(arrived.values()))
    selected = Selected(version.entry.name, version.entry.version, digest, version.entry.size)
    known = transfer.existing(target, selected)
    if known is None:
        try:
            return transfer.take(target, version, fetch, arrived)[0]
        except VersionExistsError:
            known = transfer.existing(target, selected)  # somebody else brought it at the same time?
            if known is None:
                raise
    if exist_ok:
        return known
    raise VersionExistsError(
        f"{known.reference} is registered already",
        hint="versions are immutable: register another version",
        model=known.name,
        version=known.version,
        digest=known.digest,
    )


def _require_sent(target: Context, version: transfer.Version, sent: set[str]) -> None:
    """:raises UnsafeModelError: for a blob that neither came nor is one of the model already."""
    missing = {sha256: size for sha256, size in version.blobs().items() if sha256 not in sent}
    for sha256 in sorted(missing.keys() - stored_blobs(target, missing, version.entry.name)):
        hint = "send it; that another model has it does not count"
        raise UnsafeModelError(f"sha256:{sha256} of {version.entry.reference} was not sent", hint=hint, path=sha256)


def _read(
    digest: str, fetch: Callable[[str], Path], records: Iterable[str], registered_at: datetime | None
) -> transfer.Version:
    what = f"sha256:{digest}"
    data = _bytes_of(digest, fetch)
    found = manifest.read(data, what=what)
    sizes = transfer.sizes_of(found, what)
    document = _bytes_of(found.metadata[0], fetch)
    described = metadata.read(document, what=what)
    at = now() if registered_at is None else (registered_at - EPOCH) // timedelta(microseconds=1)
    size = sum(file.size for file in found.files)
    entry = ModelEntry(metadata=described, digest=digest, size=size, registered_at=moment(at))
    others = {sha256: _bytes_of(sha256, fetch, transfer.MOST_RECORD_BYTES) for sha256 in records if sha256 not in sizes}
    return transfer.Version(
        entry, described, document, found, len(data), at, tuple(transfer.records_among(others, entry))
    )


def _bytes_of(sha256: str, fetch: Callable[[str], Path], most: int = _MOST_BYTES) -> bytes:
    """:raises IntegrityError: if what is given has another digest, or is too large for a document."""
    if not is_sha256(sha256):
        raise IntegrityError(f"{sha256!r:.80} is no SHA-256 digest", path="", expected=sha256)
    path = fetch(sha256)
    with open_plain(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        data = file.read(most + 1)
    if len(data) > most or sha256_of_bytes(data) != sha256:
        hint = "nothing of it was kept; get it again"
        message = f"{path} does not have the bytes of sha256:{sha256}"
        raise IntegrityError(message, hint=hint, path=str(path), expected=sha256)
    return data
