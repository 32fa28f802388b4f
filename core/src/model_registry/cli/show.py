"""``model-registry show``"""

from __future__ import annotations

import click

from model_registry.cli.layers import readable_tensors
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import reference_arguments, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.documents import facts_document, origin_document, version_document


@click.command("show", cls=RegistryCommand)
@reference_arguments
@click.pass_obj
def command(session: Session, name: str, version: str | None) -> None:
    """Show all that is known of a version.

    That is the latest if none is named.
    """
    registry = session.open()
    entry = require_entry(registry, *split_reference(name, version))
    model = {"description": registry.description(entry.name), "tags": registry.tags(entry.name)}
    files, children = entry.files, registry.lineage(entry.name, entry.version, depth=1).children
    with session.working(f"reading {entry.reference} …"):
        tensors, problem = readable_tensors(entry)
    if session.json:
        contents = {"files": files, "tensors": None if problem else tensors}
        around = {"children": [child.parent for child in children], "model": model}
        documents = (version_document(entry), facts_document(entry), origin_document(entry), contents, around)
        return session.emit({key: value for document in documents for key, value in document.items()})
    from model_registry.cli.page import show_page  # not for programs: it needs rich

    return show_page(entry, model, children, tensors, problem, session.screen())
