"""``model-registry alias delete``"""

from __future__ import annotations

import click

from model_registry.cli.names import complete_alias, complete_name
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.errors import VersionNotFoundError


@click.command("delete", cls=RegistryCommand)
@click.argument("name", shell_complete=complete_name)
@click.argument("alias", shell_complete=complete_alias)
@click.pass_obj
def command(session: Session, name: str, alias: str) -> None:
    """Forget an alias. The version stays, and «undo» brings the alias back."""
    registry = session.open()
    bare = alias.removeprefix("@")
    if not registry.delete_alias(name, alias):
        hint = f"«model-registry alias list {name}» shows those it has"
        raise VersionNotFoundError(f"{name} has no alias @{bare}", hint=hint, model=name, version=f"@{bare}")
    if session.json:
        return session.emit({"deleted": bare})
    text = f"@{bare} of {name} is deleted; to take that back: model-registry alias undo {name} {bare}"
    return session.say(session.here(text))
