"""What can be wrong with a registry beside its models: deep validation finds it, repairing puts right what is safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from attrs import frozen

from model_registry import leases
from model_registry.catalog import VersionRow
from model_registry.catalog.books import INDEX
from model_registry.errors import ModelRegistryError
from model_registry.files import REPAIR as REGISTER_AGAIN
from model_registry.operations.audit import Audit
from model_registry.operations.context import Context
from model_registry.operations.documents import Origin, row_of_blobs
from model_registry.operations.survey import Survey, survey
from model_registry.plain_files import sha256_of_plain
from model_registry.records import Finding

REPAIR = "«model-registry repair» does it"
REBUILD = "«model-registry rebuild» makes the catalog anew"


@frozen
class Problem:
    """Something that is wrong.

    :param fix: Puts it right; None if that is not for the registry to do.
    :param sha256: The blob that it is about, if it is about one.
    """

    finding: Finding
    fix: Callable[[], None] | None = None
    sha256: str | None = None


def problems(context: Context, audit: Audit) -> Iterator[Problem]:
    """Everything, in an order in which it can be put right. Every page and every byte is read."""
    yield from _of_the_catalog(context)
    yield from _of_the_books(context, survey(context.blobs))
    yield from _of_counting(context)
    yield from _of_the_layout(context)
    yield from _of_the_packs(context)
    yield from _of_the_blobs(context, audit)
    yield from _of_the_staging(context)


def _of_the_catalog(context: Context) -> Iterator[Problem]:
    upkeep = context.catalog.upkeep
    found = upkeep.problems()
    are_indexes = all("index" in line for line in found)
    for line in found:
        finding = Finding("error", "catalog-damaged", "catalog", line, REPAIR if are_indexes else REBUILD)
        yield Problem(finding, partial(_reindex, context) if are_indexes else None)
    dangling = upkeep.dangling()
    if dangling:
        message = f"{dangling} rows belong to a version, model or blob that is gone"
        yield Problem(Finding("warning", "rows-dangling", "catalog", message, REPAIR), upkeep.drop_dangling)


def _reindex(context: Context) -> None:
    left = context.catalog.upkeep.reindex()
    if left:
        raise ModelRegistryError(f"the catalog is still damaged: {left[0]}", hint=REBUILD)


def _of_the_books(context: Context, found: Survey) -> Iterator[Problem]:
    upkeep = context.catalog.upkeep
    for id, row in upkeep.versions():
        reference = repr(f"{row.name}:{row.version}")[1:-1]
        try:
            told = row_of_blobs(context.blobs, row.digest, _origin(row, found), reference)
        except ModelRegistryError:  # of which validation tells, if the version is visible
            continue
        if told.name != row.name:
            message = f"the catalog has the version of {told.name!r} under another name"
            yield Problem(Finding("error", "row-differs", reference, message, "«model-registry rebuild --force»"))
            continue
        for code, message in upkeep.differences(id, told):
            severity = "warning" if code == INDEX else "error"
            yield Problem(Finding(severity, code, reference, message, REPAIR), partial(upkeep.correct, id, told))


def _origin(row: VersionRow, found: Survey) -> Origin:
    origins = found.origins.get(row.digest, [])
    return next((o for o in origins if o.registered_at == row.registered_at), Origin(row.registered_at))


def _of_counting(context: Context) -> Iterator[Problem]:
    upkeep = context.catalog.upkeep
    miscounted = upkeep.miscounted()
    if miscounted:
        message = f"the uses of {miscounted} blobs are counted wrong"
        yield Problem(Finding("error", "uses-differ", "catalog", message, REPAIR), upkeep.recount)


def _of_the_layout(context: Context) -> Iterator[Problem]:
    if not context.blobs.layout_is_whole() and any(True for _ in context.blobs.digests()):
        message = "oci-layout or index.json is missing"
        yield Problem(Finding("warning", "layout-missing", "blobs", message, REPAIR), context.blobs.make_layout)


def _of_the_packs(context: Context) -> Iterator[Problem]:
    for name, why in sorted(context.blobs.damaged_packs().items()):
        finding = Finding("error", "pack-damaged", f"archive/{name}", why, REPAIR)
        yield Problem(finding, partial(context.blobs.set_pack_aside, name))


def _of_the_blobs(context: Context, audit: Audit) -> Iterator[Problem]:
    """Every blob is read. What is damaged is looked for elsewhere in the registry."""
    blobs = context.blobs
    needed, present = dict(context.catalog.references()), _sizes(context)
    writable = [sha256 for sha256 in present if blobs.is_writable(sha256)]
    if writable:
        message = f"{len(writable)} blobs can be written"
        yield Problem(
            Finding("warning", "blobs-writable", "blobs", message, REPAIR), partial(_protect, context, writable)
        )
    sizes = {**present, **needed}
    audit.look(sorted(sizes.items()))
    damaged = [sha256 for sha256, size in sorted(sizes.items()) if not audit.is_intact(sha256, size)]
    if not damaged:
        return
    needed = {**dict(context.catalog.references()), **dict.fromkeys(blobs.pinned(), 0)}
    there = set(blobs.digests())  # some may have been collected meanwhile
    spares = _spares(context, [sha256 for sha256 in damaged if sha256 in there])
    for sha256 in damaged:
        if sha256 in needed:
            yield _damaged(context, sha256, spares.get(sha256))
        elif sha256 in there:
            yield _stray(context, sha256)


def _sizes(context: Context) -> dict[str, int]:
    found = {sha256: context.blobs.size(sha256) for sha256 in context.blobs.digests()}
    return {sha256: -1 if size is None else size for sha256, size in found.items()}  # what is no plain file is damaged


def _protect(context: Context, writable: list[str]) -> None:
    for sha256 in writable:
        context.blobs.protect(sha256)


def _spares(context: Context, damaged: list[str]) -> dict[str, Path]:
    """Plain files by their digests: staged, set aside, and blobs under another's name."""
    files = [*context.blobs.spares(), *(context.blobs.local(sha256) for sha256 in damaged)]
    found = {}
    for file in files:
        with suppress(OSError, ModelRegistryError):
            found[sha256_of_plain(file)] = file
    return found


def _stray(context: Context, sha256: str) -> Problem:
    message, advice = "a blob that belongs to no version was changed", "«model-registry repair» sets it aside"
    finding = Finding("info", "stray-damaged", f"blobs/sha256/{sha256}", message, advice)
    return Problem(finding, partial(_set_aside, context, sha256), sha256)


def _set_aside(context: Context, sha256: str) -> None:
    """Unless somebody needs it by now: a registration may have put the right bytes there meanwhile."""

    def set_aside(sha256: str) -> int:
        size = context.blobs.size(sha256)
        if size is None or not context.blobs.is_intact(sha256, size):
            context.blobs.set_aside(sha256)
        return 0

    context.catalog.collect([sha256], set_aside)


def _damaged(context: Context, sha256: str, spare: Path | None) -> Problem:
    where = f"blobs/sha256/{sha256}"
    message = f"a blob that is needed {'is missing' if context.blobs.size(sha256) is None else 'was changed'}"
    if spare is None:
        return Problem(Finding("warning", "blob-lost", where, message, REGISTER_AGAIN), None, sha256)
    finding = Finding("error", "blob-replaceable", where, f"{message}; {spare.name} holds its bytes", REPAIR)
    return Problem(finding, partial(_put_back, context, sha256, spare), sha256)


def _put_back(context: Context, sha256: str, spare: Path) -> None:
    if sha256_of_plain(spare) != sha256:  # it was a damaged blob too, and has been put right: now it is set aside
        spare = _spares(context, []).get(sha256, spare)
    context.blobs.put_back(sha256, spare)


def _of_the_staging(context: Context) -> Iterator[Problem]:
    staged = set(context.blobs.staged_leases())  # before asking who lives: a lease is older than its folder
    alive = {id for id, owner in context.catalog.upkeep.leases() if not leases.is_dead(owner)}
    for left in sorted(staged - alive):
        message = "files of a registration that ended without finishing"
        finding = Finding("info", "staging-left", f"staging/{left}", message, "«model-registry gc» frees them")
        yield Problem(finding, partial(_discard, context, left))


def _discard(context: Context, lease: str) -> None:
    context.catalog.reap_leases(leases.is_dead, leases.is_alive)
    context.blobs.discard_staging(lease)
