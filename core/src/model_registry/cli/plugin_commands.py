"""Commands that plugins add. Asked for only when a command is not one of the core's, or for help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click

from model_registry.cli.session import Session
from model_registry.errors import ConfigurationError

_KEY = "model_registry.plugin_commands"

#: Commands that this project's own packages add, so that whoever lacks one is told what to install.
_ADDED_BY = {"serve": "model-registry-server", "token": "model-registry-server"}


def plugin_commands(context: click.Context, taken: Iterable[str]) -> Mapping[str, click.Command]:
    """The commands of all plugins, without those whose names the core has. Asked once per run.

    A plugin that fails is told on stderr, and never in the way of what works.

    :raises ConfigurationError: telling every mistake in the configuration, which says what plugins there are.
    """
    known: dict[str, click.Command] | None = context.meta.get(_KEY)
    if known is None:
        known = context.meta[_KEY] = _ask(context.ensure_object(Session))
        for name in sorted(known.keys() & set(taken)):
            del known[name]
            context.ensure_object(Session).warn(f"a plugin's command {name!r} is left out: the core has one of its own")
    return known


def refuse_missing(context: click.Context, name: str) -> None:
    """Say what is needed for a command that nothing adds.

    :raises ConfigurationError: if a package of this project would add it.
    """
    package = _ADDED_BY.get(name)
    if package is None:
        return
    infos = [info for info in context.ensure_object(Session).plugins().infos() if info.distribution == package]
    who, hint = f"{package}, which is not installed", f"pip install {package}"
    if infos:
        status = "is disabled" if infos[0].status == "disabled" else "could not add it"
        tells = "config show --origin" if infos[0].status == "disabled" else "plugins"
        who, hint = f"the plugin {infos[0].name}, which {status}", f"see «model-registry {tells}»"
    raise ConfigurationError(f"the command {name!r} is of {who}", hint=hint, mistakes=())


def _ask(session: Session) -> dict[str, click.Command]:
    group = click.Group()
    try:
        plugins = session.plugins()
        for plugin, problem in plugins.commands(group).items():
            session.warn(f"plugin {plugin} could not add its commands: {problem}")
        for info in plugins.infos():
            if info.status == "failed":
                session.warn(f"plugin {info.name} ({info.distribution}) failed: {info.problem}")
    except ConfigurationError as error:
        hint = error.hint or "check it with «model-registry config check»"
        raise ConfigurationError(error.message, hint=hint, **error.facts) from error
    except Exception as error:
        session.warn(f"commands of plugins may be missing: {error}")
    return dict(group.commands)
