"""``model-registry history``"""

from __future__ import annotations

import json
from typing import Any

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.cli.text import moment_text
from model_registry.records import Event

_COLUMNS = ("when", "who", "what", "of", "before", "after")


@click.command("history", cls=RegistryCommand)
@click.argument("name", required=False, metavar="[NAME[:VERSION]]")
@click.option("--alias", metavar="A", help="Only the moves of this alias.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="At most so many."
)
@click.option("--before", type=int, metavar="ID", help="Go on behind the page that told this id.")
@click.pass_obj
def command(session: Session, name: str | None, alias: str | None, limit: int, before: int | None) -> None:
    """Show what was changed, when and by whom.

    The newest first; also of models and versions that are gone.
    """
    name, version = (None, None) if name is None else split_reference(name, None)
    registry = session.open()
    events = registry.history(name, version, alias=alias, before=before, limit=limit + 1)
    if not events and name is not None and before is None:
        require_entry(registry, name, version)  # what ever was registered has a history
    shown, more = events[:limit], len(events) > limit
    if session.json:
        return session.emit({"events": shown, "more": more})
    if not shown:
        return session.say("nothing was changed")
    session.screen().table(_COLUMNS, map(_row, shown))
    if more:
        session.warn(f"there are more than {limit}; see them with --before {shown[-1].id}")
    return None


def _row(event: Event) -> tuple[str, ...]:
    what = event.action if event.subject is None else f"{event.action} {event.subject}"
    of = event.model if event.version is None else f"{event.model}:{event.version}"
    return moment_text(event.at), event.actor, what, of, _value(event.before), _value(event.after)


def _value(value: Any) -> str:
    """What was or is, as short as people need it."""
    if isinstance(value, dict):
        if "name" in value:
            return str(value["name"]) + (f":{value['version']}" if "version" in value else "")
        return str(value.get("version") or f"{value.get('digest', '')}"[:12])
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
