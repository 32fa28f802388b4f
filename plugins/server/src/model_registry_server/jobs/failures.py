"""Errors on their way from a worker to whoever asked for the work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from model_registry import errors
from model_registry.errors import ModelRegistryError

#: What a failure is called that is no error of the registry's tree: some plugin, or the server, misbehaved.
UNEXPECTED = "PluginError"


class WorkerError(Exception):
    """Work that failed in a worker, or with it.

    :param type: The name of the error in ``model_registry.errors``.
    :param facts: What of the error's facts JSON can say.
    """

    def __init__(self, type: str, message: str, hint: str = "", facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{message} — {hint}" if hint else message)
        self.type = type
        self.message = message
        self.hint = hint
        self.facts = dict(facts or {})

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"type": self.type, "message": self.message, "hint": self.hint, "facts": self.facts}

    def original(self) -> ModelRegistryError:
        """The registry's own error, as it was raised in the worker, but for facts that JSON cannot say."""
        kind = getattr(errors, self.type, errors.PluginError)
        made: ModelRegistryError = kind(self.message, hint=self.hint, **self.facts)
        return made


class WorkerDiedError(WorkerError):
    """A worker ended, or its answer was lost: what it was to do may be done, or not."""


def error_document(error: BaseException) -> dict[str, Any]:
    """An error as a worker tells it.

    Of an error that nobody raised on purpose only the class is told: its message may hold paths and secrets.
    """
    if not isinstance(error, ModelRegistryError):
        return WorkerError(
            UNEXPECTED, f"the work failed: {type(error).__name__}", "the server's log says more"
        ).document()
    facts = {name: value for name, value in error.facts.items() if _is_plain(value)}
    return WorkerError(_public_name(error), error.message, error.hint, facts).document()


def _public_name(error: ModelRegistryError) -> str:
    """The class, or the next one above it that everybody knows: plugins may derive their own."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))
