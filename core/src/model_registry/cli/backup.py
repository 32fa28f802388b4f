"""``model-registry backup``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session


@click.command("backup", cls=RegistryCommand)
@click.pass_obj
def command(session: Session) -> None:
    """Copy the catalog into the folder «backups» of the registry.

    The newest three are kept. It happens by itself once a day, unless backup_enabled is false.
    """
    path = session.open().backup()
    if session.json:
        return session.emit({"path": path})
    return session.say(f"backed up the catalog as {path}")
