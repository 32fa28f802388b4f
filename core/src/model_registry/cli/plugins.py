"""``model-registry plugins``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.records import PluginInfo

_COLUMNS = ("name", "distribution", "version", "status", "formats", "problem")


@click.command("plugins", cls=RegistryCommand)
@click.pass_obj
def command(session: Session) -> None:
    """List the plugins, and what is wrong with them."""
    plugins = session.plugins()
    infos = plugins.infos()
    plugins.formats()  # an error of all plugins together, such as two owners of one format
    if session.json:
        return session.emit({"plugins": infos})
    if not infos:
        return session.say("no plugins are installed; install one, such as model-registry-pytorch")
    return session.screen().table(_COLUMNS, map(_row, infos))


def _row(info: PluginInfo) -> tuple[str, ...]:
    return info.name, info.distribution, info.version, info.status, ", ".join(info.formats), info.problem
