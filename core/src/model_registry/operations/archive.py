"""Archiving: the files of cold versions become packs, and plain files again when they are wanted.

A version's files are claimed, verified and encoded into a staged pack; what the pack holds is decoded again and its
SHA-256 compared; the pack is published; and only then the plain files go that no other version needs. So whatever is
interrupted, every byte is there at least once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from attrs import frozen

from model_registry.archive.disk import refusals
from model_registry.archive.store import ArchivedBlobs
from model_registry.catalog import VersionRow
from model_registry.errors import IntegrityError, ModelRegistryError, StorageError, UnsupportedFormatError
from model_registry.files import REPAIR, damage
from model_registry.operations.batch import ProgressChoice, showing
from model_registry.operations.cold import NEVER, TAG, cold_versions
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, require
from model_registry.operations.lease import Registration
from model_registry.operations.packing import Work, likely, stage_pack
from model_registry.operations.packs import archive_of, collect_packs
from model_registry.operations.rebasing import rebase
from model_registry.operations.stored import read_manifest
from model_registry.progress import item_done, part
from model_registry.records import FileRecord, ModelEntry
from model_registry.records.archive import ArchiveReport

logger = logging.getLogger("model_registry")


@frozen
class _Done:
    """What became of a version's files.

    :param packed: The blobs that a pack holds now, so that their plain files may go.
    """

    packed: tuple[str, ...] = ()
    before: int = 0
    stored: int = 0


def archive(context: Context, name: str | None, keep: int | None, progress: ProgressChoice) -> ArchiveReport:
    """See ``ModelRegistry.archive``."""
    models = cold_versions(context, name, keep)
    total = sum(row.size for rows in models for row in rows)
    with (
        refusals("the archive cannot be written"),
        showing(context, progress),
        context.progress.operation("archiving", bytes_total=total, items_total=sum(map(len, models))),
    ):
        reports = []
        if models:
            with Work(context) as work:
                reports = [_archive_model(work, rows) for rows in models]
                rebase(work)
            collect_packs(context)
    return ArchiveReport(
        tuple(reference for report in reports for reference in report.versions),
        sum(report.files for report in reports),
        sum(report.before for report in reports),
        sum(report.stored for report in reports),
        {reference: why for report in reports for reference, why in report.skipped.items()},
    )


def _archive_model(work: Work, cold: list[VersionRow]) -> ArchiveReport:
    """Archive versions of one model, the newest first: each is told by the next newer one."""
    context = work.context
    versions: list[str] = []
    skipped: dict[str, str] = {}
    files = before = stored = 0
    rows = context.catalog.versions(name=cold[0].name)
    waiting: list[_Done] = []
    for row in cold:
        try:
            done = _archive_version(work, row, cold, likely(rows, row, cold))
        except (UnsupportedFormatError, StorageError):  # the next one would say the same
            raise
        except ModelRegistryError as error:
            skipped[f"{row.name}:{row.version}"] = str(error)
            continue
        finally:
            item_done()
        if done.packed:
            versions.append(f"{row.name}:{row.version}")
            logger.info("archived %s:%s: %d bytes became %d", row.name, row.version, done.before, done.stored)
        files, before, stored = files + len(done.packed), before + done.before, stored + done.stored
        # The plain files go one version late: what is told by them is quicker to compare.
        waiting.append(done)
        if len(waiting) > 1:
            _drop(context, waiting.pop(0), cold)
    for done in waiting:
        _drop(context, done, cold)
    return ArchiveReport(tuple(versions), files, before, stored, skipped)


def _archive_version(work: Work, row: VersionRow, cold: Sequence[VersionRow], others: list[VersionRow]) -> _Done:
    context, blobs = work.context, work.blobs
    members = {record.sha256: record for record in read_manifest(context, row.digest, row.name).files if record.size}
    with Registration(context) as registration:
        registration.claim(members)
        plain = _cold_blobs(context, registration.lease, list(members), cold)
        packed = {sha256 for sha256 in plain if blobs.is_packed(sha256, members[sha256].size)}
        todo = [members[sha256] for sha256 in plain if sha256 not in packed]
        if not todo:
            return _Done(tuple(packed))
        with part(row.size, passes=3):
            staged = stage_pack(work, registration, row, todo, others)
        blobs.packs.publish(staged.path, staged.name)
    return _Done((*packed, *(record.sha256 for record in todo)), sum(record.size for record in todo), staged.size)


def _cold_blobs(context: Context, lease: str, digests: list[str], cold: Sequence[VersionRow]) -> list[str]:
    """Those that are there as plain files, and that only cold versions need."""
    found: list[str] = []

    def note(sha256: str) -> int:
        if context.blobs.size(sha256) is not None:
            found.append(sha256)
        return 0

    context.catalog.collect_cold(lease, digests, cold, note)
    return sorted(found)


def _drop(context: Context, done: _Done, cold: Sequence[VersionRow]) -> None:
    """Unlink the plain files of what packs hold, unless somebody else needs them by now."""
    blobs = archive_of(context)
    with Registration(context) as registration:
        context.catalog.collect_cold(registration.lease, done.packed, cold, blobs.drop)


def restore_hot(context: Context, name: str, version: str) -> ModelEntry:
    """See ``ModelRegistry.restore_hot``."""
    entry = entry_of(context, require(context, name, version))
    blobs = archive_of(context)
    records = {record.sha256: record for record in read_manifest(context, entry.digest, entry.reference).files}
    with (
        context.progress.operation(f"restoring {entry.reference}", bytes_total=entry.size),
        refusals(f"{entry.reference} cannot be restored"),
        Registration(context) as registration,
    ):
        registration.claim(records)
        for record in records.values():
            registration.stage.add_known(record.sha256, record.size, partial(_find, blobs, entry, record))
        registration.secure(registration.stage.finish())
        context.catalog.tags.set(entry.name, entry.version, TAG, NEVER)
    collect_packs(context)
    logger.info("restored %s from the archive", entry.reference)
    return entry


def _find(blobs: ArchivedBlobs, entry: ModelEntry, record: FileRecord) -> Path:
    found = blobs.fetch(record.sha256, record.size)
    if found is None:
        message = f"{entry.reference}: {damage(blobs, record)}"
        raise IntegrityError(message, hint=REPAIR, path=record.path, expected=record.sha256)
    return found
