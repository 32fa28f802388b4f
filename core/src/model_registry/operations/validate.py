"""Validation: every visible version is looked at, every byte accounted for; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any

from attrs import evolve, frozen

from model_registry.catalog import VersionRow
from model_registry.errors import ModelRegistryError, UnsupportedFormatError
from model_registry.files import REPAIR, StoredFiles, damage
from model_registry.manifest import Manifest
from model_registry.operations.audit import Audit
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of
from model_registry.operations.problems import problems
from model_registry.operations.stored import read_manifest
from model_registry.progress import aside, item_done
from model_registry.records import FileRecord, Finding

#: Versions looked at together: enough to keep all cores hashing, few enough to hold their manifests.
_PAGE = 256


@frozen
class Checked:
    """What was found of a version.

    :param damaged: The digests of its blobs that are gone or were changed.
    :param digest: Its own; None if the catalog's entry of it is wrong, so that nobody knows which bytes are meant.
    """

    findings: list[Finding]
    damaged: set[str]
    digest: str | None

    @property
    def is_valid(self) -> bool:
        return not any(finding.severity == "error" for finding in self.findings)


def validate(
    context: Context, *, deep: bool, on_version: Callable[[str, bool], object] | None = None
) -> dict[str, Any]:
    """See ``ModelRegistry.validate_registry``."""
    context.plugins.formats()  # a mistake in the configuration is no damage of the registry: it is raised here
    audit = Audit(context.blobs, deep=deep)
    findings: list[Finding] = []
    total = valid = 0
    told_of: set[str] = set()
    counted = cache(context.catalog.stats)
    with context.progress.operation(
        "validating", bytes_total=lambda: counted().stored_bytes, items_total=lambda: counted().versions
    ):
        for checked in check_versions(context, audit):
            total += 1
            valid += checked.is_valid
            findings += checked.findings
            told_of |= checked.damaged
            if on_version is not None and checked.digest is not None:
                on_version(checked.digest, not checked.damaged)
        findings += _strays(context)
        findings += _packs(context)
        if deep:
            findings += [each.finding for each in problems(context, audit) if each.sha256 not in told_of]
        else:
            findings += _absent(context, told_of)
    told = {severity: [str(f) for f in findings if f.severity == severity] for severity in ("error", "warning")}
    return {
        "total_models": total,
        "valid_models": valid,
        "errors": told["error"],
        "warnings": told["warning"],
        "findings": findings,
    }


def check_versions(context: Context, audit: Audit, mended: Collection[str] = ()) -> Iterator[Checked]:
    """Every visible version: its manifest, documents, every file's bytes, and what the format's plugin says.

    :param mended: Damaged blobs that are as good as put right.
    """
    for rows in _pages(context):
        manifests = [_manifest(context, row, mended) for row in rows]
        audit.look(blob for found in manifests if isinstance(found, Manifest) for blob in found.blobs())
        for row, found in zip(rows, manifests, strict=True):
            checked = _check(context, row, found, audit, mended)
            if checked.is_valid or not _is_gone(context, row):  # removed while we looked
                yield checked
                item_done()


def _pages(context: Context) -> Iterator[list[VersionRow]]:
    after = None
    # A forged row may be sorted elsewhere than its version says, and send us round in circles.
    seen: set[object] = set()
    while after not in seen and (rows := context.catalog.versions(after=after, limit=_PAGE)):
        yield rows
        seen.add(after)
        after = (rows[-1].name, rows[-1].version)


def _is_gone(context: Context, row: VersionRow) -> bool:
    try:
        now = context.catalog.get(row.name, row.version)
    except ModelRegistryError:  # a forged name
        return False
    return now is None or now.digest != row.digest


def _check(
    context: Context, row: VersionRow, found: Manifest | Checked, audit: Audit, mended: Collection[str]
) -> Checked:
    if isinstance(found, Checked):
        return found
    damaged = {sha256 for sha256, size in found.blobs() if not audit.is_intact(sha256, size)}
    if damaged:
        return Checked(_damaged_files(context, row, found, damaged.difference(mended)), damaged, row.digest)
    # Looking into what is archived would restore all of it.
    is_plain = all(context.blobs.size(record.sha256) is not None for record in found.files)
    return Checked(_structure(context, row, found) if is_plain or audit.deep else [], damaged, row.digest)


def _manifest(context: Context, row: VersionRow, mended: Collection[str]) -> Manifest | Checked:
    """The manifest of a version; what was found if it cannot be read."""
    reference = _reference(row)
    digest: str | None = None
    try:
        digest = entry_of(context, row).digest
        return read_manifest(context, digest, reference)
    except ModelRegistryError as error:
        findings = [] if row.digest in mended else [_broken(reference, "manifest-damaged", error)]
        return Checked(findings, {row.digest}, digest)


def _damaged_files(context: Context, row: VersionRow, manifest: Manifest, damaged: Collection[str]) -> list[Finding]:
    documents = (("metadata document", manifest.metadata), ("config document", manifest.config))
    records = [*manifest.files, *(FileRecord(what, size, sha256, "") for what, (sha256, size) in documents)]
    findings = []
    for record in records:
        if record.sha256 in damaged:
            is_there = context.blobs.size(record.sha256) is not None or record.sha256 in context.blobs.archived()
            code = "blob-damaged" if is_there else "blob-missing"
            where = f"{_reference(row)}, {record.path}"
            findings.append(Finding("error", code, where, damage(context.blobs, record), REPAIR))
    return findings


def _structure(context: Context, row: VersionRow, manifest: Manifest) -> list[Finding]:
    reference = _reference(row)
    try:
        context.plugins.format(row.format)
        with aside():  # these bytes were counted when they were hashed
            findings = context.plugins.validate(row.format, StoredFiles(reference, manifest.files, context.blobs))
    except UnsupportedFormatError as error:
        return [Finding("warning", "plugin-missing", reference, error.message, error.hint)]
    except ModelRegistryError as error:
        return [_broken(reference, "structure-damaged", error)]
    return [evolve(found, where=f"{reference}, {found.where}" if found.where else reference) for found in findings]


def _strays(context: Context) -> Iterator[Finding]:
    """Blobs that nothing needs."""
    needed = {sha256 for sha256, _ in context.catalog.references()} | context.blobs.pinned()
    stray = len(set(context.blobs.digests()) - needed)
    if stray:
        advice = "«model-registry gc» frees them, unless a registration is under way"
        yield Finding("info", "blobs-unused", "blobs", f"{stray} blobs belong to no version", advice)


def _packs(context: Context) -> Iterator[Finding]:
    """Packs that cannot be read."""
    for name, why in sorted(context.blobs.damaged_packs().items()):
        yield Finding("error", "pack-damaged", f"archive/{name}", why, "«model-registry repair» sets it aside")


def _absent(context: Context, told_of: set[str]) -> Iterator[Finding]:
    """Needed blobs that are gone without a visible version having said so."""
    there = {*context.blobs.digests(), *context.blobs.archived()}
    absent = len({sha256 for sha256, _ in context.catalog.references()} - there - told_of)
    if absent:
        message = f"{absent} blobs of removed versions, or of records of their origin, are gone"
        yield Finding("warning", "blobs-absent", "blobs", message, "these removed versions cannot be restored whole")


def _reference(row: VersionRow) -> str:
    return repr(f"{row.name}:{row.version}")[1:-1]  # as it is, unless somebody forged it


def _broken(where: str, code: str, error: ModelRegistryError) -> Finding:
    return Finding("error", code, where, error.message, error.hint)
