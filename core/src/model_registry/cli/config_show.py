"""``model-registry config show``"""

from __future__ import annotations

import json

import click

from model_registry.cli.exit_codes import ExitCode
from model_registry.cli.inspection import inspect_configuration
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.documents import plain


@click.command("show", cls=RegistryCommand)
@click.option("--origin", is_flag=True, help="Also where each value was said: file and line, variable, or default.")
@click.pass_context
def command(context: click.Context, origin: bool) -> None:
    """Show what applies, key by key."""
    session = context.ensure_object(Session)
    found = inspect_configuration(session)
    if session.json:
        session.emit({"settings": found.entries if origin else {entry.key: entry.value for entry in found.entries}})
    for mistake in found.mistakes:
        session.complain(str(mistake))
    if found.entries and not session.json:
        columns = ("key", "value", "origin") if origin else ("key", "value")
        rows = [(each.key, json.dumps(plain(each.value), ensure_ascii=False), each.origin) for each in found.entries]
        session.screen().table(columns, [row[: len(columns)] for row in rows])
    context.exit(ExitCode.USAGE if found.mistakes else ExitCode.OK)
