"""``model-registry archive``"""

from __future__ import annotations

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import plural, size_text


@click.command("archive", cls=RegistryCommand)
@click.argument("name", required=False)
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="Leave the N newest versions (default: keep_hot, 3)."
)
@click.pass_obj
def command(session: Session, name: str | None, keep: int | None) -> None:
    """Keep the files of older versions smaller.

    NAME is a model or a pattern; without it, all models of compression_threshold megabytes or more are gone through.
    Archived versions load as before. Versions that an alias names are left as they are.
    """
    registry = session.open()
    with session.working("archiving …", registry):
        report = registry.archive(name, keep=keep, progress=False)
    if session.json:
        return session.emit(
            {
                "versions": list(report.versions),
                "files": report.files,
                "before_bytes": report.before,
                "stored_bytes": report.stored,
                "skipped": report.skipped,
            }
        )
    sizes = f": {size_text(report.before)} became {size_text(report.stored)}" if report.before else ""
    session.say(f"archived {plural(len(report.versions), 'version')}{sizes}")
    for reference, why in report.skipped.items():
        session.say(f"  {reference}: {why}")
    return None
