"""``model-registry alias undo``"""

from __future__ import annotations

import click

from model_registry.cli.names import complete_alias, complete_name
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.documents import version_document


@click.command("undo", cls=RegistryCommand)
@click.argument("name", shell_complete=complete_name)
@click.argument("alias", shell_complete=complete_alias)
@click.pass_obj
def command(session: Session, name: str, alias: str) -> None:
    """Take back the last change of an alias; again, the one before it."""
    entry = session.open().undo_alias(name, alias)
    bare = alias.removeprefix("@")
    if session.json:
        return session.emit({"alias": bare, "version": None if entry is None else version_document(entry)})
    if entry is None:
        return session.say(f"@{bare} of {name} names nothing, as before")
    return session.say(f"@{bare} names {entry.reference} again")
