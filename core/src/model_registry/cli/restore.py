"""``model-registry restore``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import reference_arguments, split_reference
from model_registry.cli.session import Session
from model_registry.documents import version_document


@click.command("restore", cls=RegistryCommand)
@reference_arguments
@click.pass_obj
def command(session: Session, name: str, version: str | None) -> None:
    """Bring a removed version or model back.

    Without VERSION it is all that was removed of the model.
    """
    entries = session.open().restore_model(*split_reference(name, version))
    if session.json:
        return session.emit({"restored": [version_document(entry) for entry in entries]})
    return session.say(f"restored {', '.join(entry.reference for entry in entries)}")
