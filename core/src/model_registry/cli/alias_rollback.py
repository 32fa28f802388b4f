"""``model-registry alias rollback``"""

from __future__ import annotations

import click

from model_registry.cli.names import complete_alias, complete_name
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.documents import version_document


@click.command("rollback", cls=RegistryCommand)
@click.argument("name", shell_complete=complete_name)
@click.argument("alias", shell_complete=complete_alias)
@click.pass_obj
def command(session: Session, name: str, alias: str) -> None:
    """Let an alias name the last other version that is still there; again, it goes further back."""
    entry = session.open().rollback(name, alias)
    bare = alias.removeprefix("@")
    if session.json:
        return session.emit({"alias": bare, **version_document(entry)})
    return session.say(f"@{bare} names {entry.reference} again")
