"""``model-registry validate``"""

from __future__ import annotations

from collections.abc import Sequence

import click

from model_registry.cli.exit_codes import ExitCode
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import plural
from model_registry.records import Finding


@click.command("validate", cls=RegistryCommand)
@click.option("--deep", is_flag=True, help="Read every byte again, also of files that look unchanged.")
@click.pass_context
def command(context: click.Context, deep: bool) -> None:
    """Name what is damaged. Nothing is changed.

    Every byte of every version is verified, and every structure checked. Exits with 5 if there are errors.
    """
    session = context.ensure_object(Session)
    registry = session.open()
    with session.working("validating …", registry):
        report = registry.validate_registry(deep=deep)
    if session.json:
        session.emit(report)
    else:
        _show(session, report["findings"])
        session.say(f"{report['valid_models']:,} of {plural(report['total_models'], 'version')} valid")
    context.exit(ExitCode.INTEGRITY if report["errors"] else ExitCode.OK)


def _show(session: Session, findings: Sequence[Finding]) -> None:
    if findings:
        rows = [(finding.severity, finding.code, finding.where, _said(finding)) for finding in findings]
        session.screen().table(("severity", "code", "where", "what"), rows)


def _said(finding: Finding) -> str:
    return f"{finding.message} — {finding.advice}" if finding.advice else finding.message
