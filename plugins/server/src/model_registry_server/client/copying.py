"""Copying many versions between two registries of which at least one is a server's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from model_registry import BatchReport, ModelEntry, ModelRegistry, VersionExistsError
from model_registry_server.client.batches import Batch, Where
from model_registry_server.client.progress import ProgressChoice, Told
from model_registry_server.client.references import entry_for

#: Brings a version from one registry into another: the entry there, and the bytes that had to be copied.
Bring = Callable[[ModelRegistry, ModelRegistry, ModelEntry], tuple[ModelEntry, int]]


def copy_versions(
    source: ModelRegistry,
    target: ModelRegistry,
    where: Where,
    *,
    bring: Bring,
    told: Told,
    tags: bool,
    aliases: bool,
    dry_run: bool,
    progress: ProgressChoice,
) -> BatchReport:
    """See ``ModelRegistry.copy_versions``.

    :param told: Who is told how far it has come.
    """
    batch = Batch("copied", dry_run)
    selected = select(source, where)
    work = told.operation("copying", bytes_total=sum(each.size for each in selected), items_total=len(selected))
    counted: set[str] = set()

    def copy(entry: ModelEntry) -> None:
        if dry_run:
            _foresee(target, entry, batch, counted)
            return
        _copy(source, target, entry, batch, bring)
        if tags:
            _add_facts(entry, target)
        if aliases:
            _add_aliases(entry, target)

    with told.showing(progress), work:
        if batch.each(selected, copy) and tags and not dry_run:
            _add_facts_of_models(source, target, selected, batch)
    return batch.report()


def select(registry: ModelRegistry, where: Where) -> list[ModelEntry]:
    """All versions that are meant, before anything is done to one."""
    if isinstance(where, str):
        return list(registry.search(where)) if where.strip() else registry.list_models()
    found = [entry_for(reference, registry.resolve) for reference in where]
    return list({(entry.name, entry.version, entry.digest): entry for entry in found}.values())


def _copy(source: ModelRegistry, target: ModelRegistry, entry: ModelEntry, batch: Batch, bring: Bring) -> None:
    found = _existing(target, entry)
    if found is not None:
        batch.skipped.append(found)
    else:
        batch.note(*bring(source, target, entry))


def _existing(target: ModelRegistry, entry: ModelEntry) -> ModelEntry | None:
    """The same version in the target, None if it is not there.

    :raises VersionExistsError: if another is there under its name.
    """
    found = target.get_model_info(entry.name, entry.version)
    if found is None or found.digest == entry.digest:
        return found
    raise VersionExistsError(
        f"{entry.reference} exists in the target with another digest",
        hint="one of the two must go, or get another name; versions are immutable",
        model=entry.name,
        version=found.version,
        digest=found.digest,
    )


def _foresee(target: ModelRegistry, entry: ModelEntry, batch: Batch, counted: set[str]) -> None:
    """:param counted: Digests of the blobs whose bytes were counted for another version."""
    found = _existing(target, entry)
    if found is not None:
        batch.skipped.append(found)
        return
    missing = entry.blobs.keys() - target.stored_blobs(entry.blobs)
    batch.note(entry, sum(entry.blobs[sha256] for sha256 in missing - counted))
    counted |= missing


def _add_facts(entry: ModelEntry, target: ModelRegistry) -> None:
    """What was said of the version since it was registered, as far as the target says nothing else."""
    name, version = entry.name, entry.version
    there = target.resolve(name, version)
    present = there.tags
    for tag, value in entry.tags.items():
        if tag not in present:
            target.set_tag(name, tag, value, version)
    if entry.description != entry.metadata.description and there.description == there.metadata.description:
        target.describe(name, entry.description, version)
    linked = there.parents
    for parent in entry.parents:
        if parent not in linked:
            target.link(name, version, parent)


def _add_aliases(entry: ModelEntry, target: ModelRegistry) -> None:
    """No alias of the target is moved."""
    present = {alias.lower() for alias in target.aliases(entry.name)}
    for alias in entry.aliases:
        if alias.lower() not in present:
            target.set_alias(entry.name, alias, entry.version)


def _add_facts_of_models(
    source: ModelRegistry, target: ModelRegistry, selected: Iterable[ModelEntry], batch: Batch
) -> None:
    failed = {failure.what for failure in batch.failed}
    for name in dict.fromkeys(each.name for each in selected if each.reference not in failed):
        with batch.one(name, 0):
            present = target.tags(name)
            for tag, value in source.tags(name).items():
                if tag not in present:
                    target.set_tag(name, tag, value)
            text = source.description(name)
            if text is not None and target.description(name) is None:
                target.describe(name, text)
