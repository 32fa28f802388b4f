"""Validation: every visible version is looked at, every byte accounted for; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import evolve

from model_registry import workers
from model_registry.catalog import VersionRow
from model_registry.errors import ModelRegistryError, UnsupportedFormatError
from model_registry.files import StoredFiles, require_intact
from model_registry.manifest import Manifest
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, read_manifest
from model_registry.records import FileRecord, Finding


def validate(context: Context, *, deep: bool) -> dict[str, Any]:
    """See ``ModelRegistry.validate_registry``."""
    rows = context.catalog.versions()
    findings = [finding for row in rows for finding in _check(context, row, deep=deep)]
    damaged = {finding.where.split(", ")[0] for finding in findings if finding.severity == "error"}
    findings += _strays(context)
    told = {severity: [str(f) for f in findings if f.severity == severity] for severity in ("error", "warning")}
    return {
        "total_models": len(rows),
        "valid_models": len(rows) - len(damaged),
        "errors": told["error"],
        "warnings": told["warning"],
        "findings": findings,
    }


def _check(context: Context, row: VersionRow, *, deep: bool) -> Iterator[Finding]:
    """One version: manifest, documents, the bytes of every file, and what the format's plugin says of them."""
    reference = f"{row.name}:{row.version}"
    try:
        manifest = read_manifest(context, row.digest, reference)
        entry_of(context, row)
    except ModelRegistryError as error:
        yield _broken(reference, "manifest-damaged", error)
        return
    damage = list(_check_bytes(context, manifest, reference, deep=deep))
    yield from damage
    if not damage:
        yield from _check_structure(context, manifest, row.format, reference)


def _check_bytes(context: Context, manifest: Manifest, reference: str, *, deep: bool) -> Iterator[Finding]:
    documents = [FileRecord(what, size, sha256, "") for what, (sha256, size) in _documents(manifest)]

    def check(record: FileRecord) -> Finding | None:
        if deep:
            context.blobs.forget(record.sha256)
        try:
            require_intact(context.blobs, record, reference)
        except ModelRegistryError as error:
            code = "blob-missing" if context.blobs.size(record.sha256) is None else "blob-damaged"
            return _broken(f"{reference}, {record.path}", code, error)
        return None

    yield from (finding for finding in workers.run_all(check, [*manifest.files, *documents]) if finding is not None)


def _documents(manifest: Manifest) -> Iterable[tuple[str, tuple[str, int]]]:
    return (("metadata document", manifest.metadata), ("config document", manifest.config))


def _check_structure(context: Context, manifest: Manifest, format: str, reference: str) -> Iterator[Finding]:
    files = StoredFiles(reference, manifest.files, context.blobs)
    try:
        context.plugins.format(format)
        findings = context.plugins.validate(format, files)
    except UnsupportedFormatError as error:
        yield Finding("warning", "plugin-missing", reference, error.message, error.hint)
    except ModelRegistryError as error:
        yield _broken(reference, "structure-damaged", error)
    else:
        yield from (evolve(f, where=f"{reference}, {f.where}" if f.where else reference) for f in findings)


def _strays(context: Context) -> Iterator[Finding]:
    """Blobs that nothing needs, and blobs of removed versions that are gone."""
    needed = dict(context.catalog.references())
    present = set(context.blobs.digests())
    stray = len(present - set(needed))
    if stray:
        yield Finding(
            "info", "blobs-unused", "blobs", f"{stray} blobs belong to no version", "«model-registry gc» frees them"
        )
    # Missing blobs of visible versions were told above; what is left belongs to removed ones, or to their records.
    for sha256 in sorted(set(needed) - present):
        yield Finding(
            "warning",
            "blob-absent",
            f"blobs/sha256/{sha256}",
            "a blob that some version needs is gone",
            "see the errors, if any",
        )


def _broken(where: str, code: str, error: ModelRegistryError) -> Finding:
    return Finding("error", code, where, error.message, error.hint)
