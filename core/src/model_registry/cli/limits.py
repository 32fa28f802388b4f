"""What a smaller model may cost, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--max-drop", type=float, metavar="X", help="Refuse a loss of more than this: 1 - the cosine of the outputs."
    ),
    click.option("--min-cosine", type=float, metavar="X", help="Refuse a lower cosine of an output than this."),
)


def LIMITS(command: Callable[..., Any]) -> Callable[..., Any]:  # noqa: N802  # used like the other groups of options
    """The options that say what is too bad."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
