"""``model-registry compare``"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from model_registry.cli.options import RegistryCommand
from model_registry.cli.references import split_reference
from model_registry.cli.session import Session
from model_registry.documents import comparison_document
from model_registry.errors import InvalidNameError, ModelNotFoundError
from model_registry.registry import ModelRegistry


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
    with session.working(f"comparing {a} with {b} …"), _telling_versions_from_names(registry, a, b):
        comparison = registry.compare(a, b, differences=differences)
    if session.json:
        return session.emit(comparison_document(comparison))
    from model_registry.cli.compare_page import compare_page  # not for programs: it needs rich

    return compare_page(comparison, session.screen())


@contextmanager
def _telling_versions_from_names(registry: ModelRegistry, a: str, b: str) -> Iterator[None]:
    """Say it better where ``B`` is a version of the model ``A``, as in other commands."""
    try:
        yield
    except ModelNotFoundError as error:
        name, _ = split_reference(a, None)
        with suppress(InvalidNameError):
            if error.facts.get("model") == b and registry.get_model_info(name, b) is not None:
                error.hint = f"if the version {b} of {name} is meant, write {name}:{b}"
        raise
