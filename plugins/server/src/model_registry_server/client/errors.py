"""Problem documents, made into the errors that they were."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from model_registry import ModelRegistryError, StorageError

#: Where the classes are that a server names. Imported when one is needed.
_HOMES = (
    "model_registry.errors",
    "model_registry_server.transfer.errors",
    "model_registry_server.jobs.job",
    "model_registry_server.errors",
)
#: What a server says of a request, in the words of the registry.
_OTHERS = {"InvalidRequestError": "InvalidOptionError", "UnknownError": "StorageError"}


class UnreachableError(StorageError):
    """The server cannot be reached, or the connection broke. Facts: ``path`` (the address)."""


def unreachable(address: str, error: Exception) -> UnreachableError:
    """What to raise if a connection failed."""
    reason = str(error).strip() or type(error).__name__
    hint = "see that the server runs there, and try again"
    return UnreachableError(f"{address} cannot be reached: {reason}", hint=hint, path=address)


def misunderstood(address: str, what: str) -> StorageError:
    """What to raise for an answer that no server of ours gives."""
    hint = "see that the address is that of a model-registry server of this version"
    return StorageError(f"{address} {what}", hint=hint, path=address)


def is_missing(error: Exception) -> bool:
    """Whether the server says that there is no such thing, of what is no model."""
    return isinstance(error, ModelRegistryError) and type(error).__name__ == "NotFoundError"


def error_of_problem(document: object, status: int, address: str) -> ModelRegistryError:
    """The error of which a problem document tells."""
    if not isinstance(document, Mapping) or not isinstance(document.get("detail"), str):
        return misunderstood(address, f"answered {status}")
    return _made(document.get("error"), document["detail"], document.get("hint"), document.get("facts"), address)


def error_of_job(document: Mapping[str, Any], address: str) -> ModelRegistryError:
    """The error for which a job failed."""
    return _made(document.get("type"), str(document.get("message")), document.get("hint"), document["facts"], address)


def _made(name: object, message: str, hint: object, facts: object, address: str) -> ModelRegistryError:
    cls = _class_named(str(name))
    given = {str(key): value for key, value in facts.items()} if isinstance(facts, Mapping) else {}
    if cls is StorageError:
        given.setdefault("path", address)
    known = {key: value for key, value in given.items() if key not in ("message", "hint")}
    return cls(message, hint=str(hint or ""), **known)


def _class_named(name: str) -> type[ModelRegistryError]:
    name = _OTHERS.get(name, name)
    if name.isidentifier():
        for home in _HOMES:
            found = getattr(import_module(home), name, None)
            if isinstance(found, type) and issubclass(found, ModelRegistryError):
                return found
    return StorageError
