"""``model-registry export``"""

from __future__ import annotations

import click

from model_registry.cli.assignments import OPTIONS, Pairs, keywords
from model_registry.cli.names import complete_format, complete_name
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import require_entry
from model_registry.cli.session import Session

_TAKEN = frozenset({"self", "name", "version", "export_path", "export_format", "overwrite"})


@click.command("export", cls=RegistryCommand)
@click.argument("name", shell_complete=complete_name)
@click.argument("version")
@click.argument("path")
@click.option(
    "--format",
    "export_format",
    metavar="F",
    shell_complete=complete_format,
    help="Another format (default: what the path's suffix says).",
)
@OPTIONS
@click.option("--overwrite", is_flag=True, help="Replace what is at PATH.")
@click.pass_obj
def command(
    session: Session, name: str, version: str, path: str, export_format: str | None, options: Pairs, overwrite: bool
) -> None:
    """Write a version to a file or folder.

    VERSION may be "latest". Without --format, and where PATH's suffix asks for no other, the files are written as they
    were registered.
    """
    given = keywords({"--option": options}, _TAKEN)
    registry = session.open()
    entry = require_entry(registry, name, version)
    with session.working(f"exporting {entry.reference} …", registry):
        written = registry.export_model(entry.name, entry.version, path, export_format, overwrite=overwrite, **given)
    if session.json:
        return session.emit({"name": entry.name, "version": entry.version, "path": written})
    return session.say(f"exported {entry.reference} to {written}")
