"""The command ``model-registry`` itself: its global options, and how a run begins and ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from io import TextIOWrapper
from typing import Any

import click

from model_registry.cli.failures import tell
from model_registry.cli.lazy import LazyGroup
from model_registry.cli.log import told_on_stderr
from model_registry.cli.options import GLOBAL_OPTIONS
from model_registry.cli.plugin_commands import plugin_commands, refuse_missing
from model_registry.cli.session import Session
from model_registry.errors import ConfigurationError

PROGRAM = "model-registry"
_COMPLETION = "_MODEL_REGISTRY_COMPLETE"
_NAMES = (
    "register",
    "register-from-hub",
    "list",
    "search",
    "show",
    "compare",
    "history",
    "lineage",
    "stats",
    "load-check",
    "convert",
    "export",
    "copy",
    "alias",
    "tag",
    "describe",
    "link",
    "remove",
    "restore",
    "recommend-compression",
    "compress",
    "archive",
    "restore-hot",
    "validate",
    "repair",
    "backup",
    "rebuild",
    "gc",
    "plugins",
    "config",
    "completion",
)


class Root(LazyGroup):
    """The core's commands, then those of plugins."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*GLOBAL_OPTIONS, *click.Group.get_params(self, ctx)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write_text("The options above may also follow the command's name.")

    def list_commands(self, ctx: click.Context) -> list[str]:
        core = super().list_commands(ctx)
        try:
            return [*core, *sorted(plugin_commands(ctx, core))]
        except ConfigurationError as error:
            ctx.ensure_object(Session).warn(f"commands of plugins are missing: {error}")
            return core

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        with suppress(ConfigurationError) if ctx.resilient_parsing else nullcontext():  # of errors, no shell completes
            command = plugin_commands(ctx, super().list_commands(ctx)).get(cmd_name)
        if command is None and not ctx.resilient_parsing:
            refuse_missing(ctx, cmd_name)
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit with one of ``exit_codes``; shells that ask for completions get them from click."""
        if not standalone_mode or _COMPLETION in os.environ:
            return super().main(args, PROGRAM, complete_var, standalone_mode, **extra)
        sys.exit(self._run(list(sys.argv[1:] if args is None else args), extra))

    def _run(self, args: list[str], extra: Mapping[str, Any]) -> int:
        session = Session()
        _encode_anything()
        with told_on_stderr(session):
            try:
                code = self._invoke(args, session, extra)
                if sys.stdout is not None:
                    sys.stdout.flush()
            except (Exception, KeyboardInterrupt) as error:
                return tell(error, session)
        return code

    def _invoke(self, args: list[str], session: Session, extra: Mapping[str, Any]) -> int:
        try:
            with self.make_context(PROGRAM, args, obj=session, **extra) as context:
                self.invoke(context)
        except click.exceptions.Exit as done:
            return done.exit_code
        return 0


def _encode_anything() -> None:
    """Show what the output's encoding has no character for as ``?``, rather than fail on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from model_registry import __version__

        click.echo(f"{PROGRAM} {__version__}")
        context.exit()


@click.command(
    PROGRAM,
    cls=Root,
    modules={name: f"model_registry.cli.{name.replace('-', '_')}" for name in _NAMES},
    invoke_without_command=True,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
@click.pass_context
def root(context: click.Context) -> None:
    """A registry of AI models that needs no server, trusts no file, and loses nothing."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
