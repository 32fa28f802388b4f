"""Errors as pages tell them: of what kind they are, in the reader's language, and what they say themselves.

The registry's messages are English. Their kind is told by their class, so that no reader is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from model_registry import errors
from model_registry.errors import ModelRegistryError
from model_registry_server.web.texts import word


@frozen
class Trouble:
    """What is told of an error.

    :param kind: What kind of error it is.
    :param advice: What to do about such an error; empty if there is nothing to say.
    :param message: What it says itself; empty if the kind says it all.
    :param hint: What it says that one should do.
    """

    kind: str
    advice: str
    message: str = ""
    hint: str = ""


def trouble_of(error: ModelRegistryError, language: str) -> Trouble:
    """What is told of an error."""
    names = [each.__name__ for each in type(error).__mro__]
    return Trouble(_first("error", names, language), _first("advice", names, language), error.message, error.hint)


def trouble_of_document(document: Mapping[str, Any], language: str) -> Trouble:
    """The same of an error that a job ended with: ``type``, ``message``, ``hint``."""
    known = getattr(errors, str(document.get("type")), ModelRegistryError)
    message, hint = (str(document.get(key) or "") for key in ("message", "hint"))
    return trouble_of(known(message, hint=hint), language)


def _first(group: str, names: Iterable[str], language: str) -> str:
    """What the first of the classes that has a text is called."""
    return next((said for name in names if (said := word(group, name, language)) != name), "")
