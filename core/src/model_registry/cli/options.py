"""The global options, which are understood before and after the name of a command."""

from __future__ import annotations

import click

from model_registry.cli.session import Session

_REGISTRY = "The registry: a folder, or an address such as http://models:8000 (default: ./models)."
_EPILOG = "--registry, --config, --json, --verbose and --debug may stand here as well."


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Note what was said; what is not said here may have been said before the command."""
    if value is not None and value is not False:
        setattr(context.ensure_object(Session), str(parameter.name), value)


def _global(*names: str, help: str, hidden: bool, metavar: str | None = None) -> click.Option:
    """:param metavar: What a value is called; without one the option is a flag."""
    return click.Option(
        names,
        help=help,
        hidden=hidden,
        metavar=metavar,
        is_flag=metavar is None,
        is_eager=True,  # a missing argument, too, is told as --json and --debug want it
        expose_value=False,
        callback=_remember,
    )


def _globals(*, hidden: bool) -> list[click.Parameter]:
    return [
        _global("-r", "--registry", metavar="PATH", hidden=hidden, help=_REGISTRY),
        _global(
            "--config", metavar="FILE", hidden=hidden, help="Its configuration (default: ./registry.toml, if any)."
        ),
        _global("--json", hidden=hidden, help="Answer with one JSON document, for programs."),
        _global("-v", "--verbose", hidden=hidden, help="Show on stderr what the registry does."),
        _global("--debug", hidden=hidden, help="Show the traceback of an error."),
    ]


GLOBAL_OPTIONS = _globals(hidden=False)
_HIDDEN_OPTIONS = _globals(hidden=True)


class RegistryCommand(click.Command):
    """A command that understands the global options as well, without repeating them in its help."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_HIDDEN_OPTIONS]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write_text(_EPILOG)
        super().format_epilog(ctx, formatter)
