"""Loading: resolve, ask the policy, verify, and let the plugin of the format make the model."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from attrs import evolve

from model_registry.errors import IntegrityError, ModelRegistryError
from model_registry.operations import options, policy
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, require
from model_registry.operations.stored import files_of
from model_registry.records import LoadedModel, LoadRequest, ModelEntry, ParentVersion

logger = logging.getLogger("model_registry")


def load(
    context: Context,
    name: str,
    version: str,
    *,
    allow_code: bool,
    weights_only: bool | None,
    given: Mapping[str, Any],
) -> LoadedModel:
    """See ``ModelRegistry.load_model``."""
    row = require(context, name, version)
    entry = entry_of(context, row)
    spec = context.plugins.format(entry.metadata.format)
    options.require_known(given, spec.load_options, spec, "loading")
    trusted = context.settings.trusted_models
    allowed = policy.code_allowed(entry.name, trusted, allow_code=allow_code, weights_only=weights_only)
    refuse = partial(policy.refusal, entry.name)
    if spec.executes_code and not allowed:
        raise refuse(f"loading format {str(spec.id)!r}")
    parents = cache(partial(parents_of, context, entry))
    request = LoadRequest(spec.id, given, entry.metadata, allowed, refuse=refuse, parents=parents)
    if context.settings.idle_days:
        context.uses.note(entry.digest)
    files = files_of(context, entry, described_by=row.metadata)
    try:
        with context.progress.operation(f"loading {entry.reference}", bytes_total=entry.size):
            try:
                loaded = context.plugins.load(request, files)
            except ModelRegistryError:
                if not files.moved():
                    raise
                files = files_of(context, entry, described_by=row.metadata)
                loaded = context.plugins.load(request, files)
    except IntegrityError:
        require(context, entry.name, entry.version)  # removed and collected meanwhile? then that is what to say
        raise
    files.keep_for(loaded.model)
    if parents.cache_info().currsize:
        for parent in parents():
            parent.files.keep_for(loaded.model)
    logger.info("loaded %s", entry.reference)
    context.plugins.notify("loaded", entry=entry, model=loaded.model)
    return evolve(loaded, entry=entry)


def parents_of(context: Context, entry: ModelEntry) -> list[ParentVersion]:
    """The versions that a version comes from by its manifest, and that are visible here."""
    found = []
    for parent in entry.metadata.parents:
        if parent.digest is not None and parent.version is not None:
            row = context.catalog.lineage.find(parent.digest, parent.name, parent.version)
            if row is not None and row.removed_at is None:
                its = entry_of(context, row)
                files = files_of(context, its, described_by=row.metadata)
                found.append(ParentVersion(parent, str(its.metadata.format), files))
    return found


@contextmanager
def temporary(context: Context, loaded: LoadedModel) -> Iterator[LoadedModel]:
    """Hand a loaded model out for a while, then let go of it and of what its framework keeps."""
    entry = loaded.entry
    try:
        yield loaded
    finally:
        del loaded
        gc.collect()
        context.plugins.notify("released", entry=entry)
