"""``model-registry copy``"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from model_registry.cli.batches import batch_code, batch_document, show_batch
from model_registry.cli.options import RegistryCommand
from model_registry.cli.session import Session
from model_registry.errors import InvalidOptionError, RegistryNotFoundError

if TYPE_CHECKING:
    from model_registry.registry import ModelRegistry


@click.command("copy", cls=RegistryCommand)
@click.argument("target")
@click.argument("where", default="")
@click.option("--aliases", is_flag=True, help="Also aliases that TARGET does not have.")
@click.option("--no-tags", is_flag=True, help="Leave tags, edited descriptions and links behind.")
@click.option("--dry-run", is_flag=True, help="Say what would be copied, and change nothing.")
@click.pass_context
def command(context: click.Context, target: str, where: str, aliases: bool, no_tags: bool, dry_run: bool) -> None:
    """Copy versions into the registry at TARGET.

    All versions, or those that the query WHERE finds. TARGET is made if it is missing. Every byte is verified,
    files that TARGET has are not read, and versions that it has are skipped: what was interrupted is continued by
    running it again. Exits with the code of the first failure.
    """
    session = context.ensure_object(Session)
    _require_query(where)
    registry = session.open()
    with _target(session, target, dry_run) as other, session.working("copying …", registry):
        report = registry.copy_versions(
            other, where, tags=not no_tags, aliases=aliases, dry_run=dry_run, progress=False
        )
    if session.json:
        session.emit(batch_document(report))
    else:
        show_batch(session, report)
    context.exit(batch_code(report))


def _require_query(where: str) -> None:
    """:raises InvalidOptionError: for an address or a folder, which no query is."""
    from model_registry import remotes

    is_folder = os.path.isdir(where)  # noqa: PTH112 - a query may be too long for a path, which Path would fail of
    if is_folder or (where and remotes.address({"path": where})):
        hint = f"«model-registry copy {shlex.quote(where)} QUERY», with a query such as: name = 'iris'"
        raise InvalidOptionError(f"{where!r} is where to copy to, which comes before what to copy", hint=hint)


@contextmanager
def _target(session: Session, target: str, dry_run: bool) -> Iterator[ModelRegistry]:
    """The registry to copy to; for a dry run where there is none, an empty one."""
    from model_registry.registry import ModelRegistry

    with ExitStack() as stack:
        try:
            registry = ModelRegistry(target, config=session.config, create=not dry_run)
        except RegistryNotFoundError:
            if Path(target).is_file():
                raise
            registry = ModelRegistry(stack.enter_context(TemporaryDirectory()), config=session.config)
        yield registry
