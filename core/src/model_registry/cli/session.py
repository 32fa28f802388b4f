"""One run of the command line: what the global options said, and how commands open the registry and answer."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import attrs
import click

from model_registry.cli import documents
from model_registry.cli.text import inert
from model_registry.documents import Document

if TYPE_CHECKING:
    from model_registry.cli.screen import Screen
    from model_registry.config import Mistake, Settings
    from model_registry.plugins import Plugins
    from model_registry.records import RebuildReport
    from model_registry.registry import ModelRegistry

#: How texts call a command, before its own name: «model-registry gc» does it; or at the end, after a colon.
_COMMAND = re.compile(r"(?:«|: )model-registry (?=[a-z])")


@attrs.define
class Session:
    """What commands get through ``@click.pass_obj``; commands of plugins too.

    :param registry: ``--registry``; None if not given.
    :param config: ``--config``; None if not given.
    :param json: The answer is one JSON document on stdout, and nothing else is written there.
    :param debug: Errors are told with their traceback.
    :param verbose: What the registry logs is shown.
    """

    registry: str | None = None
    config: str | None = None
    json: bool = False
    debug: bool = False
    verbose: bool = False

    def open(self, *, create: bool | None = False) -> ModelRegistry:
        """The registry.

        :param create: None leaves it to the configuration whether a missing one is made.
        :raises RegistryNotFoundError: if there is none and none is made.
        """
        from model_registry.registry import ModelRegistry

        return ModelRegistry(self.registry, config=self.config, create=create)

    def rebuild(self, *, force: bool) -> RebuildReport:
        """Make the catalog of the registry anew, which could not be opened."""
        from model_registry.registry import ModelRegistry

        return ModelRegistry.rebuild(self.registry, config=self.config, force=force)

    def settings(self) -> Settings:
        """The configuration, of which no registry has to exist."""
        from model_registry.config import load_settings

        return load_settings(self._given)

    def read_settings(self) -> tuple[Settings, list[Mistake]]:
        """What is right in the configuration, with defaults for the rest; and what is wrong."""
        from model_registry.config import read_settings

        return read_settings(self._given)

    def address(self) -> str | None:
        """The address of the registry; None if it is a folder."""
        from model_registry import remotes

        return remotes.address(self._given)

    def here(self, text: str) -> str:
        """The same text, of which a command can be typed as it stands: it is about the registry that was said."""
        given = {"--config": self.config, "--registry": self.registry}
        options = "".join(f"{option} {shlex.quote(value)} " for option, value in given.items() if value)
        return _COMMAND.sub(lambda found: found[0] + options, text)

    @property
    def _given(self) -> dict[str, str | None]:
        return {"path": self.registry, "config": self.config}

    def plugins(self) -> Plugins:
        """The plugins, of which no registry has to exist."""
        from model_registry.plugins import Plugins

        return Plugins(self.settings())

    def emit(self, document: Document) -> None:
        """Answer a program."""
        documents.emit(document)

    def say(self, text: str) -> None:
        """Tell a person one line. Nothing in it reaches the terminal as a command."""
        click.echo(inert(text))

    def complain(self, text: str, *, lines: bool = False) -> None:
        """Tell a person what failed.

        :param lines: Keep line breaks.
        """
        label = "error:" if os.environ.get("NO_COLOR") else click.style("error:", fg="red", bold=True)
        click.echo(f"{label} {inert(text, lines=lines)}", err=True)

    def advise(self, hint: str) -> None:
        """Tell a person what to do about what failed."""
        click.echo(f"hint: {inert(hint)}", err=True)

    def warn(self, text: str) -> None:
        """Tell a person, beside the answer, what should be known."""
        click.echo(inert(f"warning: {text}"), err=True)

    def screen(self) -> Screen:
        """Tables and pages for people. The only way to rich, which programs do not wait for."""
        from model_registry.cli.screen import Screen

        return Screen()

    @contextmanager
    def working(self, text: str, registry: ModelRegistry | None = None) -> Iterator[None]:
        """Show that work goes on, and how far it has come, to a person in front of a terminal.

        :param registry: The one whose operations tell how far they have come.
        """
        from model_registry.bars import Bar, can_show

        if self.json or self.verbose or not can_show():
            yield
            return
        with Bar(inert(text)) as bar, nullcontext() if registry is None else registry.progress(bar):
            yield
