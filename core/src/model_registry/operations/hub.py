"""Registering what a hub has: fetched by a plugin, pinned to a commit, and checked against the hub's own digests."""

from __future__ import annotations

from typing import Any

from model_registry.errors import UnsupportedFormatError
from model_registry.operations.context import Context
from model_registry.operations.register import register
from model_registry.records import ModelEntry


def register_from_hub(
    context: Context, repo_id: str, name: str | None, *, revision: str | None, **given: Any
) -> ModelEntry:
    """See ``ModelRegistry.register_from_hub``."""
    with context.progress.operation(f"downloading {repo_id}"):
        found = context.plugins.download(repo_id, revision)
    if found is None:
        raise UnsupportedFormatError(
            "no installed plugin downloads from a hub", hint="install model-registry-huggingface", format="huggingface"
        )
    told = {key: value for key, value in found.metadata.items() if given.get(key) is None}
    entry, _ = register(context, name or repo_id, found, found.format, **{**given, **told})
    return entry
