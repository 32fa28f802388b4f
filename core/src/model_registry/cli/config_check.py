"""``model-registry config check``"""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from model_registry.cli.exit_codes import ExitCode
from model_registry.cli.inspection import Inspection, inspect_configuration
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import plural
from model_registry.config import Mistake
from model_registry.documents import plain


@click.command("check", cls=RegistryCommand)
@click.argument("file", required=False)
@click.pass_context
def command(context: click.Context, file: str | None) -> None:
    """Check it, and show what applies.

    Prints each key with its value and where that was said, or else every mistake, also in the options of each installed
    plugin. FILE goes before --config.
    """
    session = context.ensure_object(Session)
    session.config = file or session.config
    found = inspect_configuration(session)
    if session.json:
        session.emit(_document(found))
    elif found.mistakes:
        _tell(session, found.mistakes)
    else:
        _show(session, found)
    context.exit(ExitCode.USAGE if found.mistakes else ExitCode.OK)


def _document(found: Inspection) -> dict[str, object]:
    mistakes = [{"source": m.source, "line": m.line, "key": m.key, "message": str(m)} for m in found.mistakes]
    return {"settings": found.entries, "mistakes": mistakes, "unchecked": found.unchecked}


def _tell(session: Session, mistakes: Sequence[Mistake]) -> None:
    for mistake in mistakes:
        session.complain(str(mistake))
    session.complain(f"{plural(len(mistakes), 'mistake')} in the configuration")


def _show(session: Session, found: Inspection) -> None:
    rows = [(entry.key, json.dumps(plain(entry.value), ensure_ascii=False), entry.origin) for entry in found.entries]
    session.screen().table(("key", "value", "origin"), rows)
    for name, problem in found.unchecked.items():
        session.warn(f"the options of plugin {name} could not be checked: {problem}")
