"""How a command fails: one clear line on stderr, what to do, and an exit code."""

from __future__ import annotations

import os
import re
import sys
import traceback
from contextlib import suppress

import click

from model_registry.cli.documents import emit
from model_registry.cli.exit_codes import ExitCode, code_of
from model_registry.cli.session import Session
from model_registry.cli.text import inert, pointed
from model_registry.errors import ConfigurationError, InvalidQueryError, ModelRegistryError

#: Hints speak to callers of the Python API; here is how the same is said on the command line.
_OPTIONS = {
    r", or set registry\.loaders\[.*\]": "",
    r"\ballow_code=True": "--allow-code",
    r"\boverwrite=True": "--overwrite",
    r"\bexist_ok=True": "--exist-ok",
    r"\ballow_mismatch=True": "--allow-mismatch",
    r"\bcheck=False": "--no-check",
    r"\bkeep=True": "--keep",
    r"\bparent=(?=\")": "--parent ",
    r"\bmodel_format=(?=['\"])": "--format ",
    r"\bmodel_format\b=?": "--format",
    r"\bpass (?=--)": "add ",
}


def tell(error: BaseException, session: Session) -> ExitCode:
    """Tell the user, and give the exit code. Stdout gets the error's document if the session is one for programs."""
    code = ExitCode.USAGE if isinstance(error, click.ClickException) else code_of(error)
    if code is ExitCode.BROKEN_PIPE:
        _abandon_stdout()
        return code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return code
    message, hint = said(error)
    if isinstance(error, ModelRegistryError):
        hint = session.here(hint)
    if session.debug:
        click.echo(inert("".join(traceback.format_exception(error)), lines=True), err=True)
    session.complain(message, lines=isinstance(error, ConfigurationError))
    if isinstance(error, InvalidQueryError) and isinstance(error.column, int):
        click.echo(pointed(str(error.query), error.column), err=True)
    if hint:
        session.advise(hint)
    with suppress(OSError):
        if session.json:
            emit({"error": {"type": type(error).__name__, "message": message, "hint": hint, "exit_code": int(code)}})
        sys.stdout.flush()
        return code
    _abandon_stdout()
    return code


def said(error: BaseException) -> tuple[str, str]:
    """What happened, and what to do."""
    if isinstance(error, ModelRegistryError):
        return error.message, _for_the_command_line(error.hint)
    if isinstance(error, click.UsageError):
        return error.format_message(), f"see «{error.ctx.command_path} --help»" if error.ctx else ""
    if isinstance(error, click.ClickException):
        return error.format_message(), ""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", ""
    if isinstance(error, MemoryError):
        return "there is not enough memory", ""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror, ""
    return f"unexpected {type(error).__name__}: {error}", "run it again with --debug for the traceback, and report it"


def _for_the_command_line(hint: str) -> str:
    for pattern, option in _OPTIONS.items():
        hint = re.sub(pattern, option, hint)
    return hint


def _abandon_stdout() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere, instead of failing loudly."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
