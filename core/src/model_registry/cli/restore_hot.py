"""``model-registry restore-hot``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import reference_arguments, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.documents import version_document


@click.command("restore-hot", cls=RegistryCommand)
@reference_arguments
@click.pass_obj
def command(session: Session, name: str, version: str | None) -> None:
    """Make the files of an archived version plain files again, for good."""
    registry = session.open()
    with session.working("restoring …", registry):
        wanted = require_entry(registry, *split_reference(name, version))
        entry = registry.restore_hot(wanted.name, wanted.version)
    if session.json:
        return session.emit({"restored": version_document(entry)})
    return session.say(f"restored {entry.reference}")
