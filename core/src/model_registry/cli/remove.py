"""``model-registry remove``"""

from __future__ import annotations

import click

from model_registry.cli.documents import version_document
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import reference_arguments, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.cli.text import plural
from model_registry.config import Settings
from model_registry.records import ModelEntry


@click.command("remove", cls=RegistryCommand)
@reference_arguments
@click.option("--yes", is_flag=True, help="Remove all versions of the model.")
@click.pass_obj
def command(session: Session, name: str, version: str | None, yes: bool) -> None:
    """Remove a version, or a whole model.

    A model with all its versions is removed only with --yes. Nothing asks.
    """
    name, version = split_reference(name, version)
    registry = session.open()
    entry = require_entry(registry, name, version)
    entries = registry.list_models(name=name) if version is None else [entry]
    if version is None and not yes:
        raise _refusal(entry, len(entries))
    registry.remove_model(entry.name, None if version is None else entry.version)
    settings = registry.settings
    if session.json:
        documents = [version_document(entry) for entry in entries]
        return session.emit({"removed": documents, "restorable": settings.backup_enabled})
    session.say(f"removed {', '.join(entry.reference for entry in entries)}")
    return session.say(_way_back(entry.name, None if version is None else entry.version, settings))


def _refusal(entry: ModelEntry, count: int) -> click.UsageError:
    return click.UsageError(
        f"{entry.name} has {plural(count, 'version')}; add --yes to remove all of it, or name one version, "
        f"as in «model-registry remove {entry.reference}»",
        click.get_current_context(),
    )


def _way_back(name: str, version: str | None, settings: Settings) -> str:
    if not settings.backup_enabled:
        return "it is gone for good, since backup_enabled is false"
    reference = name if version is None else f"{name}:{version}"
    return f"for {settings.keep_removed_days:g} days this brings it back: model-registry restore {reference}"
