"""``model-registry alias set``"""

from __future__ import annotations

import click

from model_registry.cli.names import complete_alias
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import name_argument, split_reference
from model_registry.cli.session import Session
from model_registry.documents import version_document


@click.command("set", cls=RegistryCommand)
@name_argument
@click.argument("alias", shell_complete=complete_alias)
@click.argument("version", required=False)
@click.pass_obj
def command(session: Session, name: str, alias: str, version: str | None) -> None:
    """Let an alias name a version.

    That is the latest if none is named. What the alias named before is kept: «undo» and «rollback» go back.
    """
    name, version = split_reference(name, version)
    entry = session.open().set_alias(name, alias, *(() if version is None else (version,)))
    if session.json:
        return session.emit({"alias": alias.removeprefix("@"), **version_document(entry)})
    return session.say(f"@{alias.removeprefix('@')} names {entry.reference}")
