"""What is wrong with a configuration: one record a mistake, one error for all of them."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence

from attrs import frozen

from model_registry.errors import ConfigurationError


@frozen
class Mistake:
    """One mistake; ``str(mistake)`` is one line.

    :param source: Where it was written: the path of a file, ``"environment"`` or ``"keyword"``.
    :param line: The line in the file, from 1; None outside files.
    :param key: The key as written there, with its tables: ``registry.cache_size``, ``MODEL_REGISTRY_CACHE_SIZE``.
    :param found: The value found.
    :param expected: The type or values that would do, for people.
    :param suggestion: The nearest valid name, if one is near.
    :param problem: What is wrong where that is not the type of a value, such as ``"unknown key"``.
    """

    source: str
    line: int | None
    key: str
    found: object = None
    expected: str = ""
    suggestion: str | None = None
    problem: str = ""

    def __str__(self) -> str:
        problem = self.problem or f"expected {self.expected}, found {reprlib.repr(self.found)}"
        return f"{self._where}: {problem}" + (f"; did you mean {self.suggestion!r}?" if self.suggestion else "")

    @property
    def _where(self) -> str:
        if self.line is None:
            return f"{self.source} {self.key}".rstrip()
        return f"{self.source}:{self.line}" + (f": {self.key}" if self.key else "")


def configuration_error(mistakes: Sequence[Mistake]) -> ConfigurationError:
    """One error that tells every mistake, a line each, and carries them as ``mistakes``."""
    mistakes = in_order(mistakes)
    lines = [str(mistake) for mistake in mistakes]
    message = lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} mistakes in the configuration:", *lines])
    return ConfigurationError(message, mistakes=mistakes)


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Those in files first, in the order of their lines; the rest as they were found."""
    return sorted(mistakes, key=lambda mistake: (mistake.line is None, mistake.source, mistake.line or 0))


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that ``name`` was probably meant to be."""
    from difflib import get_close_matches

    by_lower = {candidate.lower(): candidate for candidate in valid}
    matches = get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None
