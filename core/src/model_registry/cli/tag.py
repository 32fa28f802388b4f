"""``model-registry tag``"""

from __future__ import annotations

from collections.abc import Sequence

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import name_argument, split_reference
from model_registry.cli.session import Session
from model_registry.registry import ModelRegistry


@click.command("tag", cls=RegistryCommand)
@name_argument
@click.argument("assignments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--delete", "deleted", multiple=True, metavar="KEY", help="Take this tag away; may be repeated.")
@click.pass_obj
def command(session: Session, name: str, assignments: Sequence[str], deleted: Sequence[str]) -> None:
    """Tag a version, or a model.

    Sets the tags KEY to VALUE, and then prints all that it has. Without VERSION it is the model itself that is tagged.
    """
    if assignments and "=" not in assignments[0] and ":" not in name:
        hint = f"a version belongs to the name: {name}:{assignments[0]}"
        raise click.UsageError(f"{assignments[0]!r} is not of the form KEY=VALUE; {hint}", click.get_current_context())
    pairs = [_pair(assignment) for assignment in assignments]
    name, version = split_reference(name, None)
    registry = session.open()
    entry = registry.resolve(name, "latest" if version is None else version)
    name, version = entry.name, None if version is None else entry.version
    for key, value in pairs:
        registry.set_tag(name, key, value, version)
    for key in deleted:
        if not registry.delete_tag(name, key, version):
            session.warn(f"{name if version is None else entry.reference} has no tag {key!r}")
    _show(session, registry, name, version)


def _pair(assignment: str) -> tuple[str, str]:
    key, equals, value = assignment.partition("=")
    if not (key and equals):
        raise click.UsageError(f"{assignment!r} is not of the form KEY=VALUE", click.get_current_context())
    return key, value


def _show(session: Session, registry: ModelRegistry, name: str, version: str | None) -> None:
    tags = registry.tags(name, version)
    if session.json:
        session.emit({"tags": tags})
    elif tags:
        session.screen().table(("tag", "value"), list(tags.items()))
    else:
        session.say("no tags")
