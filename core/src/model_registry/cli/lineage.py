"""``model-registry lineage``"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import reference_arguments, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.records import LineageNode

if TYPE_CHECKING:
    from model_registry.cli.screen import Branch

#: What is said of a version in a lineage, behind its relation.
STATES = {"visible": "", "removed": " (removed)", "unknown": " (not here)"}


@click.command("lineage", cls=RegistryCommand)
@reference_arguments
@click.option("--depth", type=click.IntRange(min=1), default=100, metavar="N", help="At most so many levels each way.")
@click.pass_obj
def command(session: Session, name: str, version: str | None, depth: int) -> None:
    """Draw what a version comes from, and what comes from it."""
    registry = session.open()
    entry = require_entry(registry, *split_reference(name, version))
    node = registry.lineage(entry.name, entry.version, depth=depth)
    if session.json:
        return session.emit(_document(node))
    screen = session.screen()
    screen.title(entry.reference)
    if not (node.parents or node.children):
        return session.say("nothing is known of where it comes from, or of what comes from it")
    for heading, branches in (
        ("Comes from", _branches(node.parents, lambda each: each.parents)),
        ("Became", _branches(node.children, lambda each: each.children)),
    ):
        if branches:
            screen.heading(heading)
            screen.tree(branches)
    return None


def _branches(nodes: Sequence[LineageNode], further: Callable[[LineageNode], Sequence[LineageNode]]) -> list[Branch]:
    def branch(node: LineageNode) -> Branch:
        again = ", see above" if node.repeated else ""
        text = f"{node.reference}  {node.parent.relation}{STATES[node.state]}{again}"
        return text, [branch(each) for each in further(node)]

    return [branch(node) for node in nodes]


def _document(node: LineageNode) -> dict[str, Any]:
    def nodes(several: Sequence[LineageNode]) -> Iterator[dict[str, Any]]:
        return (_document(each) for each in several)

    return {
        "relation": node.parent.relation or None,
        "name": node.parent.name,
        "version": node.parent.version,
        "digest": node.parent.digest,
        "state": node.state,
        "repeated": node.repeated,
        "parents": list(nodes(node.parents)),
        "children": list(nodes(node.children)),
    }
