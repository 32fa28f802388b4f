"""``model-registry alias list``"""

from __future__ import annotations

import click

from model_registry.cli.names import complete_name
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session


@click.command("list", cls=RegistryCommand)
@click.argument("name", shell_complete=complete_name)
@click.pass_obj
def command(session: Session, name: str) -> None:
    """List the aliases of a model."""
    registry = session.open()
    name = registry.resolve(name).name
    aliases = registry.aliases(name)
    if session.json:
        return session.emit({"aliases": aliases})
    if not aliases:
        return session.say(session.here(f"{name} has no aliases; make one: model-registry alias set {name} ALIAS"))
    return session.screen().table(("alias", "version"), [(f"@{alias}", version) for alias, version in aliases.items()])
