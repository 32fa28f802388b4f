"""``model-registry validate``"""

from __future__ import annotations

import click

from model_registry.cli.exit_codes import ExitCode
from model_registry.cli.findings import show_findings
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.cli.text import plural


@click.command("validate", cls=RegistryCommand)
@click.option("--deep", is_flag=True, help="Read everything again: the catalog, all its books, and every byte.")
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
        show_findings(session, report["findings"])
        session.say(f"{report['valid_models']:,} of {plural(report['total_models'], 'version')} valid")
    context.exit(ExitCode.INTEGRITY if report["errors"] else ExitCode.OK)
