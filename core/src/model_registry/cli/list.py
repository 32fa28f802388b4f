"""``model-registry list``"""

from __future__ import annotations

from typing import Any

import click

from model_registry.cli.names import complete_format
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import require_entry
from model_registry.cli.session import Session
from model_registry.cli.versions import show_versions
from model_registry.documents import version_document
from model_registry.registry import ModelRegistry

#: What makes a name a pattern.
_PATTERN = frozenset("*?[")


@click.command("list", cls=RegistryCommand)
@click.argument("name", required=False, metavar="[NAME|PATTERN]")
@click.option("--type", "model_type", metavar="T", help="Only models of this type.")
@click.option(
    "--format", "model_format", metavar="F", shell_complete=complete_format, help="Only models of this format."
)
@click.option("--removed", is_flag=True, help="Those that were removed and can be restored.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
@click.pass_obj
def command(session: Session, /, name: str | None, limit: int | None, **filters: Any) -> None:
    """List models and their versions.

    A PATTERN is a name with * and ?, such as 'team-a/*'.
    """
    _require_name(name)
    registry = session.open()
    wanted = None if limit is None else limit + 1  # one more tells whether there are more
    entries = registry.list_models(name=name, limit=wanted, **filters)
    if not entries and name and not _PATTERN.intersection(name) and not any(filters.values()):
        require_entry(registry, name)  # says that there is no such model, and which is called nearly so
    more = limit is not None and len(entries) > limit
    entries = entries[:limit]
    if session.json:
        return session.emit({"versions": [version_document(entry) for entry in entries], "more": more})
    if not entries:
        return session.say(session.here(_hint(session, registry, name, filters)))
    show_versions(session, entries, removed=filters["removed"])
    if more:
        session.warn(f"there are more than {limit}; raise --limit to see them")
    return None


def _require_name(name: str | None) -> None:
    """:raises click.UsageError: for a version."""
    if name and not _PATTERN.intersection(name) and {":", "@"}.intersection(name):
        message = f"{name!r} is a version, and a list is of models; see «model-registry show {name}»"
        raise click.UsageError(message, click.get_current_context())


def _hint(session: Session, registry: ModelRegistry, name: str | None, filters: dict[str, Any]) -> str:
    """What to do about a list that is empty."""
    if name or filters["model_type"] or filters["model_format"]:
        return "nothing matches; «model-registry list» shows all models"
    if filters["removed"]:
        return "nothing was removed that could be restored"
    address = session.address()
    found = f"no models at {address} for you to see" if address else f"no models in {registry.settings.path} yet"
    return f"{found}; add one: model-registry register PATH --name NAME"
