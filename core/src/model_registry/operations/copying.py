"""Copying many versions into another registry: what is there is skipped, so a run that was killed is just run again."""

from __future__ import annotations

from collections.abc import Iterable

from model_registry.errors import VersionExistsError
from model_registry.names import check_alias
from model_registry.operations import aliases, tags, transfer
from model_registry.operations.batch import Batch, ProgressChoice, showing
from model_registry.operations.context import Context
from model_registry.operations.metadata import check_parent
from model_registry.operations.selection import Selected, Where, select
from model_registry.progress import part
from model_registry.records import BatchReport


def copy_versions(
    source: Context,
    target: Context,
    where: Where,
    *,
    with_tags: bool,
    with_aliases: bool,
    dry_run: bool,
    progress: ProgressChoice,
) -> BatchReport:
    """See ``ModelRegistry.copy_versions``."""
    batch = Batch("copied", dry_run)
    selected = select(source, where)
    size = sum(each.size for each in selected)
    work = source.progress.operation("copying", bytes_total=size, items_total=len(selected))
    counted: set[str] = set()
    with showing(source, progress), work:
        for each in selected:
            with batch.one(each.reference), part(each.size):
                if dry_run:
                    _foresee(source, target, each, batch, counted)
                    continue
                _copy(source, target, each, batch)
                if with_tags:
                    _add_facts(source, target, each)
                if with_aliases:
                    _add_aliases(source, target, each)
        if with_tags and not dry_run:
            _add_facts_of_models(source, target, selected, batch)
    return batch.report()


def _copy(source: Context, target: Context, selected: Selected, batch: Batch) -> None:
    found = transfer.existing(target, selected)
    if found is None:
        version = transfer.read(source, selected)
        try:
            entry, size = transfer.copy(source, target, version)
        except VersionExistsError:
            found = transfer.existing(target, selected)  # somebody else copied it at the same time?
            if found is None:
                raise
        else:
            batch.done.append(entry)
            batch.bytes += size
            return
    batch.skipped.append(found)


def _foresee(source: Context, target: Context, selected: Selected, batch: Batch, counted: set[str]) -> None:
    """:param counted: Digests of the blobs whose bytes were counted for another version."""
    found = transfer.existing(target, selected)
    if found is not None:
        batch.skipped.append(found)
        return
    version = transfer.read(source, selected)
    missing = transfer.missing_bytes(target, version)
    batch.bytes += sum(size for sha256, size in missing.items() if sha256 not in counted)
    counted.update(missing)
    batch.done.append(version.entry)


def _add_facts(source: Context, target: Context, selected: Selected) -> None:
    """What was said of the version since it was registered, as far as the target says nothing else."""
    name, version = selected.name, selected.version
    present = target.catalog.tags.of_version(selected)
    for tag, value in source.catalog.tags.of_version(selected).items():
        if tag not in present:
            tags.set_tag(target, name, tag, value, version)
    said, known = source.catalog.get(name, version), target.catalog.get(name, version)
    if said is not None and said.description is not None and known is not None and known.description is None:
        tags.describe(target, name, said.description, version)
    linked = target.catalog.lineage.parents(selected)
    for parent in source.catalog.lineage.parents(selected):
        if parent not in linked:
            target.catalog.lineage.link(name, version, check_parent(parent))


def _add_aliases(source: Context, target: Context, selected: Selected) -> None:
    """No alias of the target is moved."""
    present = {alias.lower() for alias in target.catalog.aliases.of_model(selected.name)}
    for alias in source.catalog.aliases.of_version(selected):
        if alias.lower() not in present:
            aliases.set_alias(target, selected.name, check_alias(alias), selected.version)


def _add_facts_of_models(source: Context, target: Context, selected: Iterable[Selected], batch: Batch) -> None:
    failed = {failure.what for failure in batch.failed}
    for name in dict.fromkeys(each.name for each in selected if each.reference not in failed):
        with batch.one(name, 0):
            present = target.catalog.tags.of_model(name)
            for tag, value in source.catalog.tags.of_model(name).items():
                if tag not in present:
                    tags.set_tag(target, name, tag, value, None)
            text = source.catalog.descriptions.of_model(name)
            if text is not None and target.catalog.descriptions.of_model(name) is None:
                tags.describe(target, name, text, None)
