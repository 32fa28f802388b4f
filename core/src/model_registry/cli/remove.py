"""``model-registry remove``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from model_registry.cli.batches import batch_code, batch_document, show_batch
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.cli.text import plural
from model_registry.config import Settings
from model_registry.documents import version_document
from model_registry.records import ModelEntry

if TYPE_CHECKING:
    from model_registry.registry import ModelRegistry


@click.command("remove", cls=RegistryCommand)
@click.argument("name", metavar="[NAME[:VERSION]]", required=False)
@click.argument("version", required=False)
@click.option("--where", metavar="QUERY", help="Remove all versions that a query finds, instead of one by name.")
@click.option("--dry-run", is_flag=True, help="With --where: say what would be removed, and change nothing.")
@click.option("--yes", is_flag=True, help="Remove all versions of the model, or all that the query finds.")
@click.pass_context
def command(
    context: click.Context, name: str | None, version: str | None, where: str | None, dry_run: bool, yes: bool
) -> None:
    """Remove a version, a whole model, or all that a query finds.

    More than a version that is named is removed only with --yes. Nothing asks.
    """
    session = context.ensure_object(Session)
    if where is not None and name is None:
        return _remove_many(context, session, where, dry_run=dry_run, yes=yes)
    if where is not None or name is None or dry_run:
        raise click.UsageError("say either NAME[:VERSION] or --where QUERY; --dry-run goes with --where", context)
    return _remove(session, *split_reference(name, version), yes=yes)


def _remove(session: Session, name: str, version: str | None, *, yes: bool) -> None:
    registry = session.open()
    entry = require_entry(registry, name, version)
    entries = registry.list_models(name=name) if version is None else [entry]
    if version is None and not yes:
        raise _refusal(session, entry, len(entries))
    registry.remove_model(entry.name, None if version is None else entry.version)
    restorable = _is_restorable(registry, entries[0])
    if session.json:
        documents = [version_document(entry) for entry in entries]
        return session.emit({"removed": documents, "restorable": restorable})
    session.say(f"removed {', '.join(entry.reference for entry in entries)}")
    reference = entry.name if version is None else entry.reference
    return session.say(_way_back(session, reference, registry.settings, restorable=restorable))


def _remove_many(context: click.Context, session: Session, where: str, *, dry_run: bool, yes: bool) -> None:
    registry = session.open()
    if not (dry_run or yes):
        found = len(registry.remove_many(where, dry_run=True, progress=False).done)
        raise click.UsageError(
            f"the query finds {plural(found, 'version')}; add --yes to remove them, or --dry-run to see them", context
        )
    with session.working("removing …", registry):
        report = registry.remove_many(where, dry_run=dry_run, progress=False)
    restorable = _is_restorable(registry, report.done[0]) if report.done and not dry_run else True
    if session.json:
        session.emit({**batch_document(report), "restorable": restorable})
    else:
        show_batch(session, report)
        if report.done and not dry_run:
            session.say(_way_back(session, "NAME:VERSION", registry.settings, restorable=restorable))
    context.exit(batch_code(report))


def _refusal(session: Session, entry: ModelEntry, count: int) -> click.UsageError:
    return click.UsageError(
        f"{entry.name} has {plural(count, 'version')}; add --yes to remove all of it, or name one version, "
        f"as in {session.here(f'«model-registry remove {entry.reference}»')}",
        click.get_current_context(),
    )


def _is_restorable(registry: ModelRegistry, entry: ModelEntry) -> bool:
    """Whether what was just removed can be restored. The registry tells it: our settings are not those of a server."""
    return entry.version in {each.version for each in registry.list_models(name=entry.name, removed=True)}


def _way_back(session: Session, reference: str, settings: Settings, *, restorable: bool) -> str:
    if not restorable:
        return "it is gone for good, since backup_enabled is false"
    days = "" if session.address() else f"for {settings.keep_removed_days:g} days "
    return session.here(f"{days}this brings it back: model-registry restore {reference}")
