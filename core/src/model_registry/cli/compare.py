"""``model-registry compare``"""

from __future__ import annotations

import click

from model_registry.cli.documents import comparison_document
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session


@click.command("compare", cls=RegistryCommand)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--differences", is_flag=True, help="Also tell by how much the values of changed tensors differ.")
@click.pass_obj
def command(session: Session, a: str, b: str, differences: bool) -> None:
    """Show how version B differs from version A.

    Each is NAME, which means the latest, or NAME:VERSION. Neither is loaded.
    """
    registry = session.open()
    with session.working(f"comparing {a} with {b} …"):
        comparison = registry.compare(a, b, differences=differences)
    if session.json:
        return session.emit(comparison_document(comparison))
    from model_registry.cli.compare_page import compare_page  # not for programs: it needs rich

    return compare_page(comparison, session.screen())
