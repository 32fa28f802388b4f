"""Which version a command means: ``NAME``, ``NAME VERSION``, ``NAME:VERSION`` or ``NAME@ALIAS``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from model_registry.cli.names import complete_name, complete_version
from model_registry.records import ModelEntry
from model_registry.registry import ModelRegistry

#: The relation of a parent of which none is said.
DERIVED = "derived"

Function = TypeVar("Function", bound=Callable[..., Any])


def reference_arguments(function: Function) -> Function:
    """The arguments ``NAME[:VERSION]`` and ``[VERSION]``."""
    function = click.argument("version", required=False, shell_complete=complete_version)(function)
    return name_argument(function)


def name_argument(function: Function) -> Function:
    """The argument ``NAME[:VERSION]``."""
    return click.argument("name", metavar="NAME[:VERSION]", shell_complete=complete_name)(function)


def split_reference(name: str, version: str | None) -> tuple[str, str | None]:
    """The name and the version, None if none was said.

    :raises click.UsageError: if it was said twice.
    """
    bare, colon, said = name.partition(":")
    if not colon:
        bare, at, alias = name.partition("@")
        if not at:
            return name, version
        said = f"@{alias}"
    if version is not None:
        raise click.UsageError(f"the version is given twice: {said!r} and {version!r}", click.get_current_context())
    return bare, said


def require_entry(registry: ModelRegistry, name: str, version: str | None = None) -> ModelEntry:
    """The entry of a version, of the latest if none was said.

    :raises ModelNotFoundError: naming what is called nearly so.
    """
    return registry.resolve(name, *(() if version is None else (version,)))
