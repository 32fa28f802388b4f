"""``model-registry convert``"""

from __future__ import annotations

from typing import Any

import click

from model_registry.cli.assignments import OPTIONS, Pairs, keywords
from model_registry.cli.gate import GATE, show_parity, show_plan
from model_registry.cli.names import complete_format
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import name_argument, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.documents import version_document

_TAKEN = frozenset({"self", "name", "version", "to", "new_name", "new_version", "inputs"})


@click.command("convert", cls=RegistryCommand)
@name_argument
@click.argument("version", required=False)
@click.option("--to", required=True, metavar="F", shell_complete=complete_format, help="The format to convert to.")
@click.option("--name", "new_name", metavar="N", help="Register it under this model (default: the same).")
@click.option("--as-version", "new_version", metavar="V", help="Its version (default: the next patch).")
@OPTIONS
@GATE
@click.pass_obj
def command(
    session: Session,
    /,
    name: str,
    version: str | None,
    to: str,
    new_name: str | None,
    new_version: str | None,
    options: Pairs,
    plan: bool,
    **gate: Any,
) -> None:
    """Register what another format is made of a version.

    Before that, both are run on the same inputs, in several sizes, and compared; the figures are kept with the new
    version, whose parent is the old one.
    """
    given = keywords({"--option": options}, _TAKEN)
    name, version = split_reference(name, version)
    registry = session.open()
    entry = require_entry(registry, name, version or "latest")
    if plan:
        return show_plan(session, entry, registry.plan_conversion(entry.name, entry.version, to))
    with session.working(f"converting {entry.reference} to {to} …", registry):
        made = registry.convert(
            entry.name, entry.version, to=to, new_name=new_name, new_version=new_version, **gate, **given
        )
    if session.json:
        return session.emit(version_document(made))
    session.say(f"registered {made.reference}: {made.metadata.format}, made of {entry.reference}")
    return show_parity(session, made.metadata.extra["conversion"]["parity"])
