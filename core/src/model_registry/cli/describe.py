"""``model-registry describe``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import name_argument, split_reference
from model_registry.cli.session import Session


@click.command("describe", cls=RegistryCommand)
@name_argument
@click.argument("text", required=False)
@click.option("--reset", is_flag=True, help="Go back to what was registered.")
@click.pass_obj
def command(session: Session, name: str, text: str | None, reset: bool) -> None:
    """Edit a description, or print it.

    Without VERSION it is that of the model itself. What a version was registered with stays in its manifest.
    """
    if reset and text is not None:
        raise click.UsageError("--reset takes no TEXT", click.get_current_context())
    name, version = split_reference(name, None)
    registry = session.open()
    entry = registry.resolve(name, "latest" if version is None else version)
    number = None if version is None else entry.version
    if reset or text is not None:
        registry.describe(entry.name, text, number)
    described = registry.description(entry.name) if number is None else registry.resolve(entry.name, number).description
    if session.json:
        return session.emit({"description": described})
    return session.say(described or "no description")
