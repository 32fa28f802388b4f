"""Validation: every visible version is looked at, every byte accounted for; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from attrs import evolve

from model_registry import workers
from model_registry.catalog import VersionRow
from model_registry.errors import ModelRegistryError, UnsupportedFormatError
from model_registry.files import REPAIR, StoredFiles, damage
from model_registry.manifest import Manifest
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of
from model_registry.operations.stored import read_manifest
from model_registry.progress import aside, item_done, part
from model_registry.records import FileRecord, Finding

#: Versions looked at together: enough to keep all cores hashing, few enough to hold their manifests.
_PAGE = 256


def validate(context: Context, *, deep: bool, told_of: set[str] | None = None) -> dict[str, Any]:
    """See ``ModelRegistry.validate_registry``.

    :param told_of: Gets the digests of the blobs that findings are about.
    """
    context.plugins.formats()  # a mistake in the configuration is no damage of the registry: it is raised here
    findings: list[Finding] = []
    total = valid = 0
    told_of = set() if told_of is None else told_of
    counted = cache(context.catalog.stats)
    with context.progress.operation(
        "validating", bytes_total=lambda: counted().stored_bytes, items_total=lambda: counted().versions
    ):
        for row, found in _check_all(context, told_of, deep=deep):
            is_valid = not any(finding.severity == "error" for finding in found)
            if not is_valid and _is_gone(context, row):
                continue  # removed while we looked
            total += 1
            valid += is_valid
            findings += found
            item_done()
    findings += _strays(context, told_of)
    if deep:
        findings += _more(context, told_of)
    told = {severity: [str(f) for f in findings if f.severity == severity] for severity in ("error", "warning")}
    return {
        "total_models": total,
        "valid_models": valid,
        "errors": told["error"],
        "warnings": told["warning"],
        "findings": findings,
    }


def _check_all(context: Context, told_of: set[str], *, deep: bool) -> Iterator[tuple[VersionRow, list[Finding]]]:
    for rows in _pages(context):
        yield from _check_page(context, rows, told_of, deep=deep)


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


def _check_page(
    context: Context, rows: list[VersionRow], told_of: set[str], *, deep: bool
) -> Iterator[tuple[VersionRow, list[Finding]]]:
    """The findings of each version: manifest, documents, every file's bytes, and what the format's plugin says.

    :param told_of: Gets the digests of the blobs that findings are about.
    """
    manifests = [_manifest(context, row) for row in rows]
    intact = _verify(context, [found for found in manifests if isinstance(found, Manifest)], deep=deep)
    for row, found in zip(rows, manifests, strict=True):
        if isinstance(found, Manifest):
            damaged = _damaged_files(context, row, found, intact)
            told_of.update(sha256 for sha256, _ in found.blobs() if not intact[sha256])
            yield row, damaged or _structure(context, row, found)
        else:
            told_of.add(row.digest)
            yield row, [found]


def _manifest(context: Context, row: VersionRow) -> Manifest | Finding:
    reference = _reference(row)
    try:
        entry_of(context, row)
        return read_manifest(context, row.digest, reference)
    except ModelRegistryError as error:
        return _broken(reference, "manifest-damaged", error)


def _verify(context: Context, manifests: Iterable[Manifest], *, deep: bool) -> Mapping[str, bool]:
    """Whether each blob has its bytes; several are read at once, and none twice."""
    sizes = {sha256: size for manifest in manifests for sha256, size in manifest.blobs()}

    def is_intact(sha256: str) -> bool:
        if deep:
            context.blobs.forget(sha256)
        with part(sizes[sha256]):
            return context.blobs.is_intact(sha256, sizes[sha256])

    return dict(zip(sizes, workers.run_all(is_intact, sizes), strict=True))


def _damaged_files(context: Context, row: VersionRow, manifest: Manifest, intact: Mapping[str, bool]) -> list[Finding]:
    documents = (("metadata document", manifest.metadata), ("config document", manifest.config))
    records = [*manifest.files, *(FileRecord(what, size, sha256, "") for what, (sha256, size) in documents)]
    findings = []
    for record in records:
        if not intact[record.sha256]:
            code = "blob-missing" if context.blobs.size(record.sha256) is None else "blob-damaged"
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


def _strays(context: Context, told_of: set[str]) -> Iterator[Finding]:
    """Blobs that nothing needs, and needed ones that are gone without a visible version having said so."""
    needed = dict(context.catalog.references())
    present = set(context.blobs.digests())
    stray = len(present - set(needed))
    if stray:
        advice = "«model-registry gc» frees them, unless a registration is under way"
        yield Finding("info", "blobs-unused", "blobs", f"{stray} blobs belong to no version", advice)
    absent = len(set(needed) - present - told_of)
    if absent:
        message = f"{absent} blobs of removed versions, or of records of their origin, are gone"
        yield Finding("warning", "blobs-absent", "blobs", message, "these removed versions cannot be restored whole")


def _more(context: Context, told_of: set[str]) -> Iterator[Finding]:
    """What only reading everything tells: the catalog's own state, and every blob, also of removed versions."""
    from model_registry.operations.problems import problems

    for problem in problems(context):
        if problem.finding.where.rpartition("/")[2] not in told_of:
            yield problem.finding


def _reference(row: VersionRow) -> str:
    return repr(f"{row.name}:{row.version}")[1:-1]  # as it is, unless somebody forged it


def _broken(where: str, code: str, error: ModelRegistryError) -> Finding:
    return Finding("error", code, where, error.message, error.hint)
