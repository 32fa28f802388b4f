"""Converting: what another format is made of a version becomes a version itself, with its lineage and its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_registry.errors import InvalidOptionError
from model_registry.operations.chain import run_chain
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, require
from model_registry.operations.parity import Gate, pass_gate
from model_registry.operations.plan import describe, plan
from model_registry.operations.register import register
from model_registry.operations.stored import files_of
from model_registry.records import ModelEntry, Parent

CONVERTED = "converted"
#: What is true of the result as well, and no plugin finds out from its files.
KEPT = (
    "model_type",
    "description",
    "author",
    "license",
    "tags",
    "training_framework",
    "training_dataset",
    "training_epochs",
    "repository_url",
    "paper_url",
)


def convert(
    context: Context,
    name: str,
    version: str,
    target: str,
    *,
    new_name: str | None,
    new_version: str | None,
    gate: Gate,
    given: Mapping[str, Any],
) -> ModelEntry:
    """See ``ModelRegistry.convert``."""
    entry = entry_of(context, require(context, name, version))
    source = str(entry.metadata.format)
    if target == source and not given:
        raise InvalidOptionError(f"{entry.reference} is {source} already", hint="say another format", option="to")
    chain = plan(context, source, target, entry.reference)
    files = files_of(context, entry)
    with (
        context.progress.operation(f"converting {entry.reference} to {target}"),
        tempfile.TemporaryDirectory(prefix="model_registry-") as folder,
    ):
        made = run_chain(context, entry, chain, files, Path(folder) / "made", given, suffix="")
        report = pass_gate(context, entry, chain, files, made, gate)
        result, _ = register(
            context,
            new_name or entry.name,
            made.path,
            target,
            version=new_version,
            parent=Parent(CONVERTED, entry.name, entry.version, entry.digest),
            **{field: value for field in KEPT if (value := getattr(entry.metadata, field))},
            conversion={"from": entry.reference, "steps": describe(chain), "parity": report.document()},
        )
    return result
