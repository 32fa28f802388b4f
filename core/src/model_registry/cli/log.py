"""What the registry logs, as lines on stderr."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

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
def log_to_stderr(session: Session) -> Iterator[None]:
    """Show the log while the block lasts."""
    handler, level = _Lines(session), _logger.level
    _logger.addHandler(handler)
    _logger.setLevel(logging.DEBUG)  # the session says later, when options are read, what is shown
    try:
        yield
    finally:
        _logger.removeHandler(handler)
        _logger.setLevel(level)
