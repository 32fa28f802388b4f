"""Going through a chain of conversions: each step's result is the next one's source."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_registry.files import PathFiles
from model_registry.hookspecs import VersionFiles
from model_registry.operations import options, policy
from model_registry.operations.context import Context
from model_registry.operations.plan import Chain
from model_registry.records import ExportRequest, ModelEntry


def run_chain(
    context: Context,
    entry: ModelEntry,
    chain: Chain,
    files: VersionFiles,
    destination: Path,
    given: Mapping[str, Any],
    suffix: str,
) -> PathFiles:
    """Write the last step's result to ``destination``; the others are written beside it, and deleted.

    :param suffix: How the path ends that the user named.
    :returns: What was written.
    """
    chosen = _share_out(context, chain, given)
    allowed = policy.code_allowed(entry.name, context.settings.trusted_models)
    between: list[Path] = []
    try:
        for number, step in enumerate(chain):
            is_last = number == len(chain) - 1
            target = destination if is_last else destination.with_name(f"{destination.name}.{number}")
            between += [] if is_last else [target]
            ending = suffix if is_last else ""
            request = ExportRequest(step.source, step.target, target, chosen[number], entry.metadata, ending, allowed)
            context.plugins.export(request, files)
            files = written = files_at(context, target, step.target)
        return written
    finally:
        for path in between:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def files_at(context: Context, path: Path, format: str) -> PathFiles:
    """What a step wrote; a single file gets the name that its format's files have."""
    suffixes = context.plugins.format(format).suffixes
    return PathFiles(path, f"model{suffixes[0] if suffixes else ''}")


def _share_out(context: Context, chain: Chain, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The options of each step.

    :raises InvalidOptionError: for one that no step knows.
    """
    known = [context.plugins.format(step.target).export_options | step.options for step in chain]
    is_open = any(context.plugins.format(step.target).open_options for step in chain)
    if not is_open:
        options.require_known(
            given, frozenset().union(*known), context.plugins.format(chain[-1].target), "exporting to"
        )
    return [{name: given[name] for name in given if name in names or is_open} for names in known]
