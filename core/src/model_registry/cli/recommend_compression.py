"""``model-registry recommend-compression``"""

from __future__ import annotations

from typing import Any

import click

from model_registry.cli.limits import LIMITS
from model_registry.cli.names import complete_compression
from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import name_argument, require_entry, split_reference
from model_registry.cli.session import Session
from model_registry.errors import ParityError


@click.command("recommend-compression", cls=RegistryCommand)
@name_argument
@click.argument("version", required=False)
@click.option(
    "--by",
    "types",
    multiple=True,
    metavar="T",
    shell_complete=complete_compression,
    help="Try only this type; may be repeated.",
)
@LIMITS
@click.option("--plot", type=click.Path(dir_okay=False), metavar="FILE", help="Draw it, as .png or .svg.")
@click.option("--keep", is_flag=True, help="Register what is recommended.")
@click.option("--name", "new_name", metavar="N", help="With --keep: register it under this model.")
@click.option("--as-version", "new_version", metavar="V", help="With --keep: its version.")
@click.pass_obj
def command(session: Session, /, name: str, version: str | None, types: tuple[str, ...], **given: Any) -> None:
    """Try what makes a version smaller, and show what each costs.

    Without a limit, a loss of 0.01 of the cosine is what is acceptable. Nothing is kept unless asked.
    """
    registry = session.open()
    entry = require_entry(registry, *split_reference(name, version))
    with session.working(f"trying to make {entry.reference} smaller …", registry):
        report = registry.recommend_compression(entry.name, entry.version, types=types or None, **given, progress=False)
    if given["keep"] and report.kept is None:
        problem = f"nothing that was tried with {entry.reference} is small and good enough"
        raise ParityError(problem, hint="without --keep, what was tried is shown")
    if session.json:
        return session.emit(report.document())
    screen = session.screen()
    screen.title(report.reference)
    columns, rows = report.rows()
    screen.table(columns, rows, numbers=columns[1:-1])
    if report.kept is not None:
        session.say(f"registered {report.kept.reference}")
    elif report.recommended is None:
        session.say("nothing is small and good enough")
    return None
