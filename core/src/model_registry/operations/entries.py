"""Entries: rows of the catalog as users see them, and the way back from an entry to its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import evolve

from model_registry.catalog import VersionRow
from model_registry.clock import moment
from model_registry.config import Settings
from model_registry.digests import is_sha256
from model_registry.errors import ModelNotFoundError, ModelRegistryError, UnsafeModelError, VersionNotFoundError
from model_registry.names import check_alias, check_model_name, shown
from model_registry.operations import metadata
from model_registry.operations.context import Context
from model_registry.records import FileRecord, ModelEntry, Parent, TensorRecord
from model_registry.versions import check_version

LATEST = "latest"


def entry_of(context: Context, row: VersionRow) -> ModelEntry:
    """A row as users see it.

    :raises UnsafeModelError: if the row contradicts itself. The catalog may be somebody else's, and what the user
        trusts by name must not turn out to be another model.
    """
    reference = shown(f"{row.name}:{row.version}")[1:-1]
    try:
        described = metadata.read(row.metadata, what=reference)
        if (described.name, described.version, described.format) != (row.name, row.version, row.format):
            raise ValueError(f"it describes {described.name}:{described.version} ({described.format})")
        if not is_sha256(row.digest):
            raise ValueError(f"{row.digest!r} is no SHA-256 digest")
        return ModelEntry(
            metadata=described,
            digest=row.digest,
            size=int(row.size),
            registered_at=moment(row.registered_at),
            removed_at=None if row.removed_at is None else moment(row.removed_at),
            description=described.description if row.description is None else row.description,
            inspector=Inspector(context),
        )
    except ModelRegistryError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise UnsafeModelError(
            f"the catalog's entry of {reference} is wrong: {error!s:.200}", path=reference
        ) from error


def find(context: Context, name: str, version: str = LATEST) -> VersionRow | None:
    """The row of a visible version: of one, of the latest, or of the one that an alias (``@champion``) names.

    :raises InvalidNameError: for what can be no name, version or alias.
    """
    check_model_name(name)
    if version == LATEST:
        return context.catalog.latest(name)
    if isinstance(version, str) and version.startswith("@"):
        row = context.catalog.aliases.get(name, check_alias(version))
        return None if row is None or row.removed_at is not None else row
    return context.catalog.get(name, check_version(version))


def require(context: Context, name: str, version: str = LATEST) -> VersionRow:
    """Like :func:`find`, but it must exist.

    :raises ModelNotFoundError: naming models that are called nearly so.
    :raises VersionNotFoundError: naming the versions there are.
    """
    row = find(context, name, version)
    if row is not None:
        return row
    if version.startswith("@"):
        raise no_alias(context, name, version)
    if any(version in (LATEST, gone.version) for gone in context.catalog.versions(name=name, removed=True)):
        what = name if version == LATEST else f"{name} {version}"
        raise VersionNotFoundError(
            f"{what} was removed", hint=f"«model-registry restore {what}» brings it back", model=name, version=version
        )
    known = [other.version for other in context.catalog.versions(name=name)]
    if known:
        meant = [f"@{each}" for each in context.catalog.aliases.of_model(name) if each.lower() == version.lower()]
        highest = ", ".join([*(["…"] if len(known) > 5 else []), *known[-5:]])
        hint = f"did you mean {meant[0]!r}?" if meant else f"it has {highest}"
        raise VersionNotFoundError(f"model {name!r} has no version {version!r}", hint=hint, model=name, version=version)
    raise _no_model(context, name)


def no_alias(context: Context, name: str, alias: str) -> ModelNotFoundError:
    """What to raise for an alias that names nothing which is there."""
    aliases = context.catalog.aliases
    gone = aliases.get(name, alias[1:])
    if gone is not None:
        return VersionNotFoundError(
            f"alias {alias} of {name!r} names {gone.version}, which was removed",
            hint=f"«model-registry restore {name} {gone.version}» brings it back; or let the alias name another one",
            model=name,
            version=gone.version,
        )
    known = ", ".join(f"@{each}" for each in aliases.of_model(name))
    if context.catalog.latest(name) is None:
        return _no_model(context, name)
    hint = f"it has {known}" if known else f"«model-registry alias set {name} {alias[1:]}» makes it"
    message = f"model {name!r} has no alias {alias!r}"
    return VersionNotFoundError(message, hint=hint, model=name, version=alias, alias=alias[1:])


def _no_model(context: Context, name: str) -> ModelNotFoundError:
    near = context.catalog.similar_names(name)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "«model-registry list» shows all models"
    return ModelNotFoundError(f"there is no model {name!r}", hint=hint, model=name)


def home_of(context: Context, entry: ModelEntry) -> Context:
    """The registry that holds an entry's bytes: the one it was got from, which need not be this one."""
    inspector = entry._inspector
    return inspector.context if isinstance(inspector, Inspector) else context


class Inspector:
    """How an entry looks at its own bytes. What that needs is imported when it is asked for."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._blobs: tuple[str, dict[str, int]] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Another process gets an entry that opens the registry for itself."""
        return _reopen, (evolve(self.context.settings, path=self.context.folder),)

    def files(self, entry: ModelEntry) -> tuple[FileRecord, ...]:
        from model_registry.operations.stored import read_manifest

        return read_manifest(self.context, entry.digest, entry.reference).files

    def blobs(self, entry: ModelEntry) -> Mapping[str, int]:
        if self._blobs is None or self._blobs[0] != entry.digest:
            from model_registry.operations import transfer
            from model_registry.operations.selection import selected

            self._blobs = entry.digest, transfer.read(self.context, selected(entry)).blobs()
        return MappingProxyType(self._blobs[1])

    def blob(self, entry: ModelEntry, sha256: str) -> Path:
        size = self.blobs(entry)[sha256]
        path = self.context.blobs.fetch(sha256, size)
        if path is None:
            from model_registry.operations.stored import damaged

            raise damaged(self.context, entry, sha256, size)
        return path

    def modules(self, entry: ModelEntry) -> dict[str, str]:
        from model_registry.operations.contents import contents_of

        return dict(contents_of(self.context, entry).modules or {})

    def tensors(self, entry: ModelEntry) -> tuple[TensorRecord, ...]:
        from model_registry.operations.contents import contents_of

        return contents_of(self.context, entry, with_modules=False).tensors or ()

    def provenance(self, entry: ModelEntry) -> dict[str, str] | None:
        from model_registry.operations import origin

        found = origin.provenance_of(self.context, entry)
        return None if found is None else dict(found.facts)

    def environment(self, entry: ModelEntry) -> dict[str, Any] | None:
        from model_registry.operations import origin

        return origin.environment_of(self.context, entry)

    def aliases(self, entry: ModelEntry) -> tuple[str, ...]:
        return self.context.catalog.aliases.of_version(entry)

    def tags(self, entry: ModelEntry) -> dict[str, str]:
        return self.context.catalog.tags.of_version(entry)

    def parents(self, entry: ModelEntry) -> tuple[Parent, ...]:
        return tuple(self.context.catalog.lineage.parents(entry))

    def verify(self, entry: ModelEntry) -> None:
        from model_registry.operations.stored import files_of

        with self.context.progress.operation(f"verifying {entry.reference}", bytes_total=entry.size):
            files_of(self.context, entry).verify()

    def checksum(self, entry: ModelEntry) -> str:
        from model_registry.operations.stored import checksum

        with self.context.progress.operation(f"verifying {entry.reference}", bytes_total=entry.size):
            return checksum(self.context, entry)


def _reopen(settings: Settings) -> Inspector:
    return Inspector(Context(settings))
