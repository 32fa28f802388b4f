"""The plugin's commands, and what they share: the session they are given, and the global options they understand."""

from __future__ import annotations

import copy
import getpass
import os
import socket
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import click

from model_registry import ConfigurationError, ModelRegistry


class Screen(Protocol):
    """Writes tables for people."""

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write one."""


class Session(Protocol):
    """What the command line hands to commands, as far as those here use it."""

    json: bool
    config: str | None

    def open(self, *, create: bool | None = False) -> ModelRegistry:
        """The registry; None leaves it to the configuration whether a missing one is made."""

    def address(self) -> str | None:
        """The address of the registry; None if it is a folder."""

    def emit(self, document: dict[str, Any]) -> None:
        """Answer a program."""

    def say(self, text: str) -> None:
        """Tell a person one line."""

    def here(self, text: str) -> str:
        """The same text, of which a command can be typed as it stands."""

    def warn(self, text: str) -> None:
        """Tell a person, beside the answer, what should be known."""

    def screen(self) -> Screen:
        """Where tables are written."""


class Command(click.Command):
    """A command that understands the global options too, like the core's: ``model-registry token list --json``."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own, and those of ``model-registry`` that say something to the session."""
        root = ctx.find_root()
        shared = [] if root is ctx else root.command.get_params(root)
        return [*super().get_params(ctx), *(_hidden(one) for one in shared if hasattr(ctx.obj, str(one.name)))]


@lru_cache(maxsize=64)  # click compares parameters by identity
def _hidden(parameter: click.Parameter) -> click.Parameter:
    """The same option, but not repeated in the command's help."""
    hidden = copy.copy(parameter)
    hidden.hidden = True  # type: ignore[attr-defined]  # only options have it, and the root has no arguments
    return hidden


def folder_of(session: Session, *, create: bool | None = False) -> ModelRegistry:
    """The registry, which has to be a folder: what a server keeps beside it is there.

    :raises ConfigurationError: for the address of a server.
    """
    require_folder(session)
    return session.open(create=create)


def require_folder(session: Session) -> None:
    """:raises ConfigurationError: if the registry is no folder, but has the address of a server."""
    if session.address() is not None:  # which is not told: it may hold a password
        message = "the registry is a server's, not a folder"
        raise ConfigurationError(message, hint="run this where the folder is, with --registry FOLDER", mistakes=())


def person() -> str:
    """Who is at the command line, as the audit log names them: ``user@host``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in many containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
