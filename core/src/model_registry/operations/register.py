"""Registering: stage, hash while writing, check, describe, write the manifest, make it visible in one transaction."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs

from model_registry import environment, example_inputs, leases, manifest, provenance
from model_registry.catalog import VersionRow
from model_registry.clock import moment, now
from model_registry.digests import sha256_of_bytes
from model_registry.errors import (
    IntegrityError,
    InvalidOptionError,
    UnsafeModelError,
    UnsupportedModelError,
    VersionExistsError,
)
from model_registry.files import StagedFiles
from model_registry.hookspecs import EXAMPLE_INPUTS, VersionFiles
from model_registry.names import check_model_name
from model_registry.operations import metadata, policy
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of
from model_registry.operations.lease import Registration
from model_registry.operations.options import require_known, split
from model_registry.operations.parents import ParentLike, parents_of
from model_registry.operations.rows import row_for
from model_registry.operations.source import detect, size_of, source_of
from model_registry.records import Arrival, Download, FormatSpec, ModelEntry, ModelMetadata, Parent, SaveRequest
from model_registry.staged import StagedFile
from model_registry.versions import check_version

logger = logging.getLogger("model_registry")

_EXAMPLES = "example_inputs"
#: So often the number of a version may be taken by others before ours is given up.
_ATTEMPTS = 100


@attrs.frozen
class _Version:
    """What is to be committed: the row and the files it needs."""

    row: VersionRow
    staged: Sequence[StagedFile]


@attrs.frozen
class Draft:
    """What may become a version: staged, hashed and described. It is gone after the block unless it is committed."""

    _context: Context
    _registration: Registration
    _described: ModelMetadata
    _members: Sequence[StagedFile]
    _version: str | None
    _exist_ok: bool

    @property
    def files(self) -> VersionFiles:
        """Its files, as they were staged."""
        return StagedFiles(self._members, self._context.blobs)

    def commit(self, *, extra: Mapping[str, Any] | None = None, **more: Any) -> tuple[ModelEntry, bool]:
        """The version, and whether it is new.

        :param extra: Joins the metadata of this name.
        :param more: Other metadata that only a look at the files gave.
        """
        described = attrs.evolve(self._described, extra={**self._described.extra, **(extra or {})}, **more)
        return _commit(self._context, self._registration, described, self._members, self._version, self._exist_ok)


def register(context: Context, /, name: str, model: Any, *args: Any, **given: Any) -> tuple[ModelEntry, bool]:
    """See ``ModelRegistry.register_model`` and :func:`drafted`: the version, and whether it is new."""
    with drafted(context, name, model, *args, **given) as draft:
        return draft.commit()


@contextmanager
def drafted(
    context: Context,
    /,
    name: str,
    model: Any,
    model_format: str | None = None,
    *,
    version: str | None = None,
    parent: ParentLike | Sequence[ParentLike] = (),
    exist_ok: bool = False,
    weights_only: bool | None = None,
    options: Mapping[str, Any] | None = None,
    **given: Any,
) -> Iterator[Draft]:
    """What registering makes of a model, before anybody can see it.

    :param model: Also a :class:`Download`, whose files must have the digests that it tells, or an :class:`Arrival`.
    """
    require_registrable(context, name, version, exist_ok=exist_ok)
    parents = parents_of(context, parent)
    source = source_of(model)
    spec, said = _format_of(context, source, model_format, given)
    examples, said = _examples(said, spec)
    chosen = options or {}
    require_known(chosen, spec.save_options, spec, "registering in")
    request = _request(context, name, source, spec, {**said, **chosen}, weights_only, parents)
    work = context.progress.operation(f"registering {name}", bytes_total=partial(size_of, source))
    arrived = model.digests if isinstance(model, Arrival) else {}
    with work, Registration(context, arrived) as registration:
        if examples is not None:
            registration.stage.add(EXAMPLE_INPUTS, examples, kind="dataset")
        context.plugins.save(request, registration.stage)
        members = registration.stage.finish()
        _require_expected(members, model.digests if isinstance(model, Download) else {})
        described = _describe(context, request, members, said_type=given.get("model_type") is not None)
        del model, source, request  # a model may be large, and whoever has the draft loads another one
        yield Draft(context, registration, described, members, version, exist_ok)


def _require_expected(members: Sequence[StagedFile], expected: Mapping[str, str]) -> None:
    """:raises IntegrityError: for a file that is not the one its source tells of."""
    for file in members:
        record = file.record
        if expected.get(record.path, record.sha256) != record.sha256:
            raise IntegrityError(
                f"{record.path} has other bytes than its source says",
                hint="it was damaged on the way or in the cache: delete it there, and download it again",
                path=record.path,
                expected=expected[record.path],
                found=record.sha256,
            )


def next_version(context: Context, name: str) -> str:
    """See ``ModelRegistry.next_version``."""
    lease = context.catalog.begin(leases.owner())
    try:
        return context.catalog.reserve_next_version(lease, check_model_name(name))
    finally:
        context.catalog.release(lease)


def require_registrable(context: Context, name: str, version: str | None, *, exist_ok: bool = False) -> None:
    """Fail before the work, not after it; the catalog's constraint is what really decides.

    :raises VersionExistsError: for a version that there is.
    """
    check_model_name(name)
    checked = None if version is None else check_version(version)
    row = None if checked is None or exist_ok else context.catalog.get(name, checked)
    if row is not None:
        hint = "versions are immutable: register another version"
        raise VersionExistsError(
            f"{name}:{row.version} is registered already", hint=hint, model=name, version=row.version, digest=row.digest
        )


def _format_of(
    context: Context, source: Any, model_format: str | None, given: Mapping[str, Any]
) -> tuple[FormatSpec, Mapping[str, Any]]:
    """The format said or seen, and the metadata said or seen."""
    model_format = model_format or context.settings.default_format
    if model_format is None:
        detection = detect(context, source)
        model_format = detection.format
        if given.get("model_type") is None:
            given = {**given, "model_type": detection.model_type}
    spec = context.plugins.format(str(model_format), typed=True)
    if not spec.storable:
        raise UnsupportedModelError(
            f"{spec.id!r} is a format to export to, not to register in", hint="leave model_format out", format=spec.id
        )
    return spec, given


def _examples(given: Mapping[str, Any], spec: FormatSpec) -> tuple[bytes | None, Mapping[str, Any]]:
    """The inputs to store with the model, and the keywords without them, unless the plugin wants to see them too."""
    examples = given.get(_EXAMPLES)
    rest = given if _EXAMPLES in spec.save_options else {k: v for k, v in given.items() if k != _EXAMPLES}
    if examples is None:
        return None, rest
    try:
        return example_inputs.write(example_inputs.arrays_of(examples)), rest
    except InvalidOptionError as error:
        if _EXAMPLES not in spec.save_options:
            raise
        logger.warning("example_inputs are used, and not stored: %s", error.message)  # the plugin may know better
        return None, rest


def _request(
    context: Context,
    name: str,
    source: Any,
    spec: FormatSpec,
    given: Mapping[str, Any],
    weights_only: bool | None,
    parents: Sequence[Parent],
) -> SaveRequest:
    chosen, described = split(given, spec.save_options)
    draft = attrs.evolve(metadata.build(name, "0", spec.id, described), parents=parents)
    if spec.open_options:
        chosen |= draft.extra
    allowed = policy.code_allowed(name, context.settings.trusted_models, weights_only=weights_only)
    return SaveRequest(source, spec.id, chosen, draft, weights_only is False and allowed)


def _describe(
    context: Context, request: SaveRequest, members: Sequence[StagedFile], *, said_type: bool
) -> ModelMetadata:
    """Look at what was staged: refuse what is broken, and complete what the caller said."""
    if not members:
        raise UnsupportedModelError(
            "there is nothing to store: the model has no files", hint="give a model or its files"
        )
    files = StagedFiles(members, context.blobs)
    if context.settings.auto_validate:
        for finding in context.plugins.validate(request.format, files):
            if finding.severity == "error":
                raise UnsafeModelError(f"refused: {finding}", path=finding.where)
    told = context.plugins.metadata(request.format, files)
    loader = context.plugins.loaders.plugin(request.format)
    if loader is not None:
        told = {**told, **loader.describe(request.model, files)}
    size = sum(file.record.size for file in members)
    return metadata.complete(request.metadata, told, size, said_type=said_type)


def _commit(
    context: Context,
    registration: Registration,
    described: ModelMetadata,
    members: Sequence[StagedFile],
    version: str | None,
    exist_ok: bool,
) -> tuple[ModelEntry, bool]:
    for attempt in itertools.count(1):
        number = version or context.catalog.reserve_next_version(registration.lease, described.name)
        prepared = _prepare(context, registration, attrs.evolve(described, version=number), members)
        existing = _existing(context, prepared.row) if exist_ok else None
        if existing is not None:
            registration.secure(prepared.staged)  # puts back what was damaged or lost since
            return existing, False
        try:
            registration.commit(prepared.row, prepared.staged)
            break
        except VersionExistsError:
            # Somebody asked for our number by name: the next, then. Or was faster, with the same bytes: look again.
            if attempt == _ATTEMPTS or (version is not None and not exist_ok):
                raise
    entry = entry_of(context, prepared.row)
    logger.info(
        "registered %s (%s, %d bytes) as sha256:%s", entry.reference, entry.metadata.format, entry.size, entry.digest
    )
    context.plugins.notify("registered", entry=entry)
    return entry, True


def _prepare(
    context: Context, registration: Registration, described: ModelMetadata, members: Sequence[StagedFile]
) -> _Version:
    """Write the documents: metadata, config, the manifest that names them all, and the provenance beside it."""
    records = [file.record for file in members]
    document = metadata.write(described, *context.plugins.owner(described.format))
    config = manifest.write_config(described, records, document)
    record = manifest.write(records, document, config)
    digest = sha256_of_bytes(record)
    registered_at = now()
    came = registration.is_arrival
    around = None if came else _environment(context, described.format)
    facts = provenance.of_an_arrival() if came else provenance.of_this_process()
    origin = provenance.write(digest, len(record), moment(registered_at), facts, around)
    documents = registration.stage.write_records(
        [document, config, record, origin, provenance.EMPTY_BLOB if around is None else around]
    )
    staged = [*members, *documents]
    row = row_for(
        described,
        document,
        digest,
        size=sum(file.size for file in records),
        registered_at=registered_at,
        blobs=[file.blob for file in staged],
    )
    return _Version(row, staged)


def _environment(context: Context, format: str) -> bytes | None:
    return environment.capture(context.plugins.packages(format)) if context.settings.capture_environment else None


def _existing(context: Context, row: VersionRow) -> ModelEntry | None:
    """The version registered before, if it is the same.

    :raises VersionExistsError: if it is another.
    """
    existing = context.catalog.get(row.name, row.version)
    if existing is None:
        return None
    if existing.digest == row.digest:
        return entry_of(context, existing)
    raise VersionExistsError(
        f"{row.name}:{existing.version} is registered already, with another digest: model or metadata differ",
        hint="register another version",
        model=row.name,
        version=existing.version,
        digest=existing.digest,
    )
