"""``model-registry link``"""

from __future__ import annotations

import click

from model_registry.cli.names import complete_relation
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import DERIVED, name_argument, split_reference
from model_registry.cli.session import Session
from model_registry.records import Parent


@click.command("link", cls=RegistryCommand)
@name_argument
@click.argument("parent")
@click.option(
    "--relation",
    default=DERIVED,
    show_default=True,
    metavar="R",
    shell_complete=complete_relation,
    help="How it comes from it.",
)
@click.option("--remove", is_flag=True, help="Take back what was said so before.")
@click.pass_obj
def command(session: Session, name: str, parent: str, relation: str, remove: bool) -> None:
    """Say what a version comes from.

    PARENT is another version, NAME[:VERSION], or with "--relation dataset" the name of a data set. Other relations are
    converted, compressed and adapter, or a word of your own.
    """
    name, version = split_reference(name, None)
    registry = session.open()
    entry = registry.resolve(name, "latest" if version is None else version)
    given = parent_of(relation, parent)
    if remove:
        changed = registry.unlink(entry.name, entry.version, given, relation)
        if session.json:
            return session.emit({"unlinked": changed})
        return session.say("taken back" if changed else "nothing of that was said, or it is part of the version")
    linked = registry.link(entry.name, entry.version, given, relation)
    if session.json:
        return session.emit({"parent": linked})
    return session.say(f"{entry.reference} comes from {linked.reference} ({linked.relation})")


def parent_of(relation: str, text: str) -> str | Parent:
    """A parent as it is said on the command line: data sets are no versions of the registry."""
    if relation != "dataset":
        return text
    name, _, version = text.partition(":")
    return Parent(relation, name, version or None)
