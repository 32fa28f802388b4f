"""``model-registry repair``"""

from __future__ import annotations

import click

from model_registry.cli.exit_codes import ExitCode
from model_registry.cli.findings import has_errors, show_findings
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import plural
from model_registry.records import RepairReport


@click.command("repair", cls=RegistryCommand)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def command(context: click.Context, dry_run: bool) -> None:
    """Put right what is safe, and say what was done.

    No version is removed, and no damaged file deleted. Every byte is read. Exits with 0 if nothing was repaired, with
    10 if something was, and with 5 if errors are left.
    """
    session = context.ensure_object(Session)
    registry = session.open()
    with session.working("repairing …"):
        report = registry.repair(dry_run=dry_run)
    if session.json:
        session.emit({"done": report.done, "left": report.left})
    else:
        _show(session, report, "would be repaired" if dry_run else "repaired")
    context.exit(_code(report))


def _show(session: Session, report: RepairReport, done: str) -> None:
    if not report.done and not report.left:
        return session.say("nothing is wrong")
    if report.done:
        session.say(f"{done}: {plural(len(report.done), 'finding')}")
        show_findings(session, report.done)
    if report.left:
        session.say(f"left: {plural(len(report.left), 'finding')}")
        show_findings(session, report.left)
    return None


def _code(report: RepairReport) -> ExitCode:
    if has_errors(report.left):
        return ExitCode.INTEGRITY
    return ExitCode.REPAIRED if report.done else ExitCode.OK
