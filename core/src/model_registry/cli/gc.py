"""``model-registry gc``"""

from __future__ import annotations

import attrs
import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import plural, size_text


@click.command("gc", cls=RegistryCommand)
@click.option(
    "--keep-removed-days",
    type=click.FloatRange(min=0),
    metavar="D",
    help="Keep what was removed in the last D days (default: the configuration's; 0 keeps nothing).",
)
@click.pass_obj
def command(session: Session, keep_removed_days: float | None) -> None:
    """Free the space that nothing needs.

    Versions that were removed long enough ago are forgotten for good. Safe beside any number of other processes.
    """
    registry = session.open()
    with session.working("collecting …", registry):
        report = registry.collect_garbage(keep_removed_days)
    if session.json:
        return session.emit(attrs.asdict(report))
    forgotten = plural(report.versions, "removed version")
    unlinked = plural(report.blobs, "blob") + (f" and {plural(report.packs, 'pack')}" if report.packs else "")
    return session.say(f"forgot {forgotten}, unlinked {unlinked}, freed {size_text(report.bytes)}")
