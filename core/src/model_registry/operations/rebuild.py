"""Rebuilding: a lost or damaged catalog is made anew from the blobs, the newest backup, and what was changed since."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_registry.backups import Backups
from model_registry.blobs import BlobStore, open_blobs
from model_registry.catalog import VersionRow, actions, catalog_file
from model_registry.catalog.connection import identity
from model_registry.catalog.rebuilding import KnownRow, Rebuilding, rebuilding
from model_registry.catalog.replacing import held, problem_of, replace
from model_registry.clock import now
from model_registry.config import Settings
from model_registry.errors import ModelRegistryError, RegistryNotFoundError, StorageError
from model_registry.operations.backup import backup
from model_registry.operations.context import Context
from model_registry.operations.documents import Origin, row_of_blobs
from model_registry.operations.noted import Change, changes_since
from model_registry.operations.survey import Survey, survey
from model_registry.records import Finding, RebuildReport

logger = logging.getLogger("model_registry")

#: What the copy of a sound catalog is called, from which it is made anew.
_COPY = "copy.sqlite"


def rebuild(settings: Settings, *, force: bool) -> RebuildReport:
    """See ``ModelRegistry.rebuild``."""
    folder = settings.path.absolute()
    path, blobs = catalog_file(settings.catalog, folder), open_blobs(settings.blobs, folder)
    if not os.path.lexists(path) and not any(True for _ in blobs.digests()):
        raise RegistryNotFoundError(f"no registry at {folder}", hint="check the path", path=str(folder))
    old = identity(path)
    problem = problem_of(path)
    if problem is None and not force:
        raise StorageError(
            f"the catalog of {folder} is sound; nothing was changed",
            hint="«model-registry rebuild --force» makes it anew all the same",
            path=str(path),
        )
    # Held first: a collection waits then, and cannot take the workplace for a leftover.
    with held(path), _workplace(path) as place:
        new = place / path.name
        bases = _bases(settings, path, place, folder, is_sound=problem is None)
        report = _write(new, bases, blobs, Backups(folder))
        moved = replace(path, new, old, aside := Backups(folder).aside())
    if settings.backup_enabled:
        try:
            backup(Context(settings))
        except OSError as error:
            logger.warning("the new catalog could not be backed up: %s", error)
    logger.info("rebuilt the catalog of %s: %d versions", folder, report["versions"])
    if report["backup"] == str(place / _COPY):
        report["backup"] = str(path)
    return RebuildReport(**report, moved=str(aside) if moved else None)


@contextmanager
def _workplace(path: Path) -> Iterator[Path]:
    """A folder on the catalog's filesystem, where a collection finds what a crash leaves."""
    from shutil import rmtree

    place = path.parent / "staging" / os.urandom(8).hex()
    try:
        place.mkdir(parents=True)
        yield place
    except OSError as error:
        if isinstance(error, ModelRegistryError):
            raise
        reason = f"the catalog cannot be rebuilt: {error.strerror or error}"
        raise StorageError(reason, hint="nothing was changed; check the disk", path=error.filename) from error
    finally:
        rmtree(place, ignore_errors=True)


def _bases(settings: Settings, path: Path, place: Path, folder: Path, *, is_sound: bool) -> list[Path]:
    """The copies of the catalog to begin with, the best first: a sound catalog itself, then the backups."""
    backups = Backups(folder).catalogs()
    if not is_sound:
        return backups
    from model_registry.catalog import open_catalog

    copy = place / _COPY
    open_catalog(settings.catalog, folder, create=False).backup(copy)
    return [copy, *backups]


def _write(new: Path, bases: Sequence[Path], blobs: BlobStore, backups: Backups) -> dict[str, Any]:
    """Write the new catalog, from the best copy that can be read; what the report says."""
    findings: list[Finding] = []
    for base in (*bases, None):
        try:
            with rebuilding(new, base) as catalog:
                found = survey(blobs)
                changes = changes_since(backups, catalog.last_event(), findings)
                _Rebuild(catalog, blobs, found, findings).run(changes)
                rows = catalog.rows()
            break
        except StorageError as error:
            if base is None or error.facts.get("full"):
                raise
            advice = "an older backup was used, or none: look whether aliases, tags and removals are right"
            findings.append(Finding("warning", "backup-damaged", f"backups/{base.name}", error.message, advice))
            for file in new.parent.glob(f"{new.name}*"):
                file.unlink()
    return {
        "versions": sum(row.removed_at is None for row in rows),
        "removed": sum(row.removed_at is not None for row in rows),
        "backup": None if base is None else str(base),
        "changes": len(changes),
        "findings": (*found.findings, *findings),
    }


class _Rebuild:
    """Brings the new catalog together: what the backup knows, what the blobs tell, what was changed since."""

    def __init__(self, catalog: Rebuilding, blobs: BlobStore, found: Survey, findings: list[Finding]) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._survey = found
        self._findings = findings
        self._known: set[tuple[str, int]] = set()
        self._vouched: set[str] = set()
        self._forgotten = catalog.forgotten()

    def run(self, changes: Sequence[Change]) -> None:
        """Everything in the order of time, so that each change meets the versions that it met."""
        forgotten = {change["digest"] for change in changes if change["action"] == actions.FORGOTTEN}
        for row in self._catalog.rows():
            self._keep(row, forgotten)
        registrations = sorted(self._registrations(), key=lambda item: item[0].registered_at)
        last = self._catalog.last_event()
        spare = itertools.count(max([last, *(change["id"] for change in changes)]) + 1)
        upcoming = iter(registrations)
        pending = next(upcoming, None)
        for change in (*changes, None):
            while pending is not None and (change is None or pending[0].registered_at <= change["at"]):
                # Numbers that no change has were those of registrations.
                event = last + 1 if change is not None and last + 1 < change["id"] else next(spare)
                if self._register(*pending, event):
                    last = max(last, event) if change is not None and event < change["id"] else last
                pending = next(upcoming, None)
            if change is not None:
                self._apply(change)
                last = change["id"]

    def _keep(self, row: KnownRow, forgotten: Collection[str]) -> None:
        """A version of the backup stays if its manifest is there, and is as the manifest says.

        :param forgotten: Digests of versions that were forgotten since, of which nothing is missed.
        """
        reference = f"{row.name}:{row.version}"
        if self._survey.versions.get(row.digest) != (row.name, row.version):
            if row.digest not in self._survey.versions and row.digest not in forgotten:
                message = f"its manifest or metadata is gone (blobs/sha256/{row.digest})"
                advice = "register it again, or put the blob back from a copy and rebuild again"
                self._findings.append(Finding("error", "version-lost", reference, message, advice))
            self._catalog.drop(row)
            return
        self._vouched.add(row.digest)
        self._known.add((row.digest, row.registered_at))
        origins = self._survey.origins.get(row.digest, [])
        origin = next((o for o in origins if o.registered_at == row.registered_at), Origin(row.registered_at))
        told = row_of_blobs(self._blobs, row.digest, origin, reference)
        self._catalog.correct(row, told)
        self._tell_missing(told)

    def _registrations(self) -> Iterator[tuple[Origin, str]]:
        for digest in self._survey.versions:
            origins = self._survey.origins.get(digest) or [Origin(self._age(digest))]
            for origin in origins:
                if (digest, origin.registered_at) not in self._known:
                    yield origin, digest

    def _age(self, digest: str) -> int:
        """When a manifest was written, in microseconds: the best guess without a record."""
        return os.stat(self._blobs.local(digest)).st_mtime_ns // 1000

    def _register(self, origin: Origin, digest: str, event: int) -> bool:
        """Add a version, unless the record is one of a registration that found it there already."""
        name, version = self._survey.versions[digest]
        others = self._catalog.named(name, version)
        same = [row for row in others if row.digest == digest]
        if any(row.removed_at is None or row.removed_at > origin.registered_at for row in same):
            return False
        if digest in self._forgotten and self._forgotten[digest] >= origin.registered_at:
            return False
        told = row_of_blobs(self._blobs, digest, origin, f"{name}:{version}")
        visible = next((row for row in others if row.removed_at is None), None)
        is_hidden = self._is_doubtful(told) or (visible is not None and visible.digest in self._vouched)
        return self._add(told, origin, event, visible, is_hidden=is_hidden)

    def _add(self, told: VersionRow, origin: Origin, event: int, visible: KnownRow | None, *, is_hidden: bool) -> bool:
        if visible is not None:
            self._catalog.hide(visible, now())
        try:
            row = self._catalog.register(told, origin.actor, event)
        except ModelRegistryError as error:
            self._findings.append(
                Finding("error", "name-taken", f"{told.name}:{told.version}", error.message, error.hint)
            )
            return False
        if is_hidden:
            self._catalog.hide(row, now())
            if visible is not None:
                self._catalog.show(visible)
        if visible is not None:
            message = f"there are two versions of this number, sha256:{visible.digest} and sha256:{told.digest}"
            advice = "one of them is a removed version now; see «model-registry list --removed»"
            where = f"{told.name}:{told.version}"
            self._findings.append(Finding("warning", "version-twice", where, message, advice))
        self._tell_missing(told)
        return True

    def _is_doubtful(self, told: VersionRow) -> bool:
        """Whether the manifest is a file of another version: then somebody may have put it there to have it found."""
        if told.digest not in self._survey.members:
            return False
        message = "its manifest is a file of another version, and no backup knows it; it is a removed version now"
        advice = "if you know it, «model-registry restore» it"
        where = f"{told.name}:{told.version}"
        self._findings.append(Finding("warning", "version-doubtful", where, message, advice))
        return True

    def _apply(self, change: Change) -> None:
        self._catalog.apply(change)
        if change["action"] == actions.FORGOTTEN and change["digest"] is not None:
            self._forgotten[change["digest"]] = change["at"]

    def _tell_missing(self, told: VersionRow) -> None:
        missing = sum(sha256 not in self._survey.present for sha256, _, _ in told.blobs)
        if missing:
            message, advice = f"{missing} of its blobs are gone", "«model-registry validate» names them"
            where = f"{told.name}:{told.version}"
            self._findings.append(Finding("error", "blob-missing", where, message, advice))
