"""Rebasing: a version that is told by one that nobody needs any more is told by something else, if that takes less."""

from __future__ import annotations

import logging
from collections.abc import Collection

from model_registry.archive.pack import Head
from model_registry.catalog import VersionRow
from model_registry.errors import ModelRegistryError, StorageError
from model_registry.operations.lease import Registration
from model_registry.operations.packing import Staged, Work, likely, stage_pack
from model_registry.operations.packs import unneeded_blobs
from model_registry.operations.stored import read_manifest

logger = logging.getLogger("model_registry")


def rebase(work: Work) -> None:
    """Encode anew whatever pack is the only one that keeps blobs which no version needs, where that frees more."""
    packs = work.blobs.packs
    dead = unneeded_blobs(work.context, packs.listing().bases())
    if not dead:
        return
    rows = {row.digest: row for row in work.context.catalog.versions()}
    for head in list(packs.listing().heads.values()):
        kept = {sha256 for sha256 in dead if packs.listing().told_by(sha256) <= head.blobs.keys()}
        row = rows.get(head.version)
        if row is None or not any(kept.intersection(packed.bases) for packed in head.blobs.values()):
            continue
        try:
            _rebase(work, row, head, kept, dead)
        except StorageError:
            raise
        except ModelRegistryError as error:  # it stays as it is
            logger.warning("%s:%s could not be told by something else: %s", row.name, row.version, error)


def _rebase(work: Work, row: VersionRow, head: Head, kept: Collection[str], dead: Collection[str]) -> None:
    members = {record.sha256: record for record in read_manifest(work.context, row.digest, row.name).files}
    if not members.keys() >= head.blobs.keys():
        return  # what else it holds, nobody can tell
    with Registration(work.context) as registration:
        registration.claim(head.blobs)
        others = likely(work.context.catalog.versions(name=row.name), row, [row])
        files = [members[sha256] for sha256 in head.blobs]
        staged = stage_pack(work, registration, row, files, others, without=dead)
        if staged.name != head.name and staged.size < head.size + sum(_bytes(work, sha256) for sha256 in kept):
            _replace(work, head, staged)


def _bytes(work: Work, sha256: str) -> int:
    """Bytes that a blob takes."""
    packed = work.blobs.packs.listing().get(sha256)
    return (work.blobs.size(sha256) or 0) + (packed.stored if packed else 0)


def _replace(work: Work, head: Head, staged: Staged) -> None:
    work.blobs.packs.publish(staged.path, staged.name)
    work.blobs.packs.remove(head.name)
    logger.info("a pack of %d bytes became one of %d that needs no removed version", head.size, staged.size)
