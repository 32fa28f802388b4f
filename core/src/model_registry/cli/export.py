"""``model-registry export``"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from model_registry.cli.assignments import OPTIONS, Pairs, keywords
from model_registry.cli.gate import GATE, show_parity, show_plan
from model_registry.cli.names import complete_format
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import name_argument, require_entry, split_reference
from model_registry.cli.session import Session

_TAKEN = frozenset({"self", "name", "version", "export_path", "export_format", "overwrite", "inputs"})


@click.command("export", cls=RegistryCommand)
@name_argument
@click.argument("where", metavar="[VERSION] PATH", nargs=-1, required=True)
@click.option(
    "--format",
    "export_format",
    metavar="F",
    shell_complete=complete_format,
    help="Another format (default: what the path's suffix says).",
)
@OPTIONS
@GATE
@click.option("--overwrite", is_flag=True, help="Replace what is at PATH.")
@click.pass_obj
def command(
    session: Session,
    /,
    name: str,
    where: Sequence[str],
    export_format: str | None,
    options: Pairs,
    overwrite: bool,
    plan: bool,
    **gate: Any,
) -> None:
    """Write a version to a file or folder.

    The version must be said, if only as "latest". Without --format, and where PATH's suffix asks for no other,
    the files are written as they were registered. Another format is made in one or more steps, and run beside its
    source before anything is left at PATH.
    """
    given = keywords({"--option": options}, _TAKEN)
    *versions, path = where
    if len(versions) > 1:
        raise click.UsageError(f"{path!r} is one argument too many", click.get_current_context())
    name, version = split_reference(name, versions[0] if versions else None)
    if version is None:  # else a path that was forgotten would be the version that is written to
        message = f"say a version, then a path, as in «model-registry export {name}:latest PATH»"
        raise click.UsageError(session.here(message), click.get_current_context())
    registry = session.open()
    entry = require_entry(registry, name, version)
    if plan:
        steps = registry.plan_conversion(entry.name, entry.version, export_format, path=path)
        return show_plan(session, entry, steps)
    with session.working(f"exporting {entry.reference} …", registry):
        written = registry.export_model(
            entry.name, entry.version, path, export_format, overwrite=overwrite, **gate, **given
        )
    if session.json:
        parity = written.parity.document()
        return session.emit({"name": entry.name, "version": entry.version, "path": str(written), "parity": parity})
    session.say(f"exported {entry.reference} to {written}")
    return show_parity(session, written.parity.document()) if written.parity.passed is not None else None
