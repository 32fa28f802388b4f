"""``model-registry register``"""

from __future__ import annotations

from typing import Any

import click

from model_registry.cli.assignments import FIELDS, METRICS, OPTIONS, Pairs, keywords
from model_registry.cli.names import complete_format
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import DERIVED, split_reference
from model_registry.cli.session import Session
from model_registry.cli.text import plural, size_text
from model_registry.documents import version_document
from model_registry.records import Parent

_TAKEN = frozenset({"self", "name", "model", "model_format", "version", "parent", "exist_ok", "options"})


@click.command("register", cls=RegistryCommand)
@click.argument("path")
@click.option("--name", required=True, metavar="N", help="The model's name.")
@click.option("--version", metavar="V", help="Its version (default: 1.0.0, then the next patch).")
@click.option(
    "--format",
    "model_format",
    metavar="F",
    shell_complete=complete_format,
    help="Its format (default: seen from the content).",
)
@click.option("--type", "model_type", metavar="T", help="What it is for, such as classification.")
@click.option("--description", metavar="TEXT", help="What it is, in a sentence.")
@click.option("--author", metavar="TEXT", help="Who made it.")
@click.option("--license", metavar="ID", help="Its license, such as MIT.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A word to find it by; may be repeated.")
@click.option("--parent", multiple=True, metavar="[R=]REF", help="What it comes from; may be repeated.")
@METRICS
@FIELDS
@OPTIONS
@click.option("--exist-ok", is_flag=True, help="Succeed if exactly this version is registered already.")
@click.pass_obj
def command(
    session: Session,
    /,
    path: str,
    name: str,
    version: str | None,
    model_format: str | None,
    tags: tuple[str, ...],
    parent: tuple[str, ...],
    metrics: Pairs,
    fields: Pairs,
    options: Pairs,
    exist_ok: bool,
    **texts: str | None,
) -> None:
    """Register a file or folder as a version.

    A --parent is a version, as in "base:1.0.0" or "base@champion", with the relation in front if it is another than
    derived: "adapter=base:1.0.0", "dataset=digits:2".
    """
    said: dict[str, Any] = {key: text for key, text in texts.items() if text is not None}
    if tags:
        said["tags"] = list(tags)
    if measured := keywords({"--metric": metrics}, ()):
        said["performance_metrics"] = measured
    given = keywords({"the command line": said.items(), "--set": fields}, _TAKEN)
    chosen = keywords({"--option": options}, _TAKEN)
    parents = [parent_of(text) for text in parent]
    registry = session.open(create=None)
    with session.working(f"registering {name} …", registry):
        entry = registry.register_model(
            name, path, model_format, version=version, parent=parents, exist_ok=exist_ok, options=chosen, **given
        )
    if session.json:
        return session.emit(version_document(entry))
    size = f"{size_text(entry.size)} in {plural(len(entry.files), 'file')}"
    session.say(f"registered {entry.reference}: {entry.metadata.format}, {size}")
    return session.say(f"sha256:{entry.digest}")


def parent_of(text: str) -> str | Parent:
    """A parent as the command line has it, with its relation in front if that is another than derived."""
    relation, equals, reference = text.rpartition("=")
    if not equals or relation == DERIVED:
        return reference
    name, version = split_reference(reference, None)
    return Parent(relation, name, version)
