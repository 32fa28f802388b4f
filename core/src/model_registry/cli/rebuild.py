"""``model-registry rebuild``"""

from __future__ import annotations

from pathlib import Path

import click

from model_registry.cli.exit_codes import ExitCode
from model_registry.cli.findings import has_errors, show_findings
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import plural
from model_registry.records import RebuildReport


@click.command("rebuild", cls=RegistryCommand)
@click.option("--force", is_flag=True, help="Also if the catalog is sound.")
@click.pass_context
def command(context: click.Context, force: bool) -> None:
    """Make a lost or damaged catalog anew.

    From the files, the newest backup, and what was changed since. The old catalog is moved aside. Exits with 5 if some
    versions could not be brought back, or lack files.
    """
    session = context.ensure_object(Session)
    with session.working("rebuilding …"):
        report = session.rebuild(force=force)
    if session.json:
        session.emit({name: getattr(report, name) for name in RebuildReport.__annotations__})
    else:
        _show(session, report)
    context.exit(ExitCode.INTEGRITY if has_errors(report.findings) else ExitCode.OK)


def _show(session: Session, report: RebuildReport) -> None:
    show_findings(session, report.findings)
    known = f"from {Path(report.backup).name}" if report.backup else "from the blobs alone"
    changes = f" and {plural(report.changes, 'change')} since" if report.changes else ""
    versions = f"{plural(report.versions, 'version')} and {plural(report.removed, 'removed version')}"
    session.say(f"rebuilt the catalog {known}{changes}: {versions}")
    if report.moved:
        session.say(f"the old catalog is in {report.moved}")
