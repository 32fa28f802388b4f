"""What the registry logs, and what Python warns of, as lines on stderr."""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from model_registry.cli.session import Session
from model_registry.cli.text import inert

_logger = logging.getLogger("model_registry")


class _Lines(logging.Handler):
    """A line a record: warnings always, the rest with ``--verbose``; tracebacks with ``--debug``."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING and not self._session.verbose:
            return
        error = record.exc_info[1] if record.exc_info else None
        cause = f" ({type(error).__name__}: {error})" if error else ""
        click.echo(inert(f"{record.levelname.lower()}: {record.getMessage()}{cause}"), err=True)
        if error and self._session.debug:
            click.echo(inert("".join(traceback.format_exception(error)), lines=True), err=True)


@contextmanager
def told_on_stderr(session: Session) -> Iterator[None]:
    """Show the log and warnings while the block lasts."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        where = f" ({category.__name__} at {filename}:{lineno})" if session.debug else ""
        session.warn(f"{message}{where}")

    handler, level, shown = _Lines(session), _logger.level, warnings.showwarning
    _logger.addHandler(handler)
    _logger.setLevel(logging.DEBUG)  # the session says later, when options are read, what is shown
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown
        _logger.removeHandler(handler)
        _logger.setLevel(level)
