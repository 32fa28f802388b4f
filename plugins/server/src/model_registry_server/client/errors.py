"""Problem documents, made into the errors that they were."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import httpx

from model_registry import ModelRegistryError, StorageError
from model_registry_server.errors import TooManyRequestsError
from model_registry_server.token_variable import TOKEN_VARIABLE

#: Where the classes are that a server names. Imported when one is needed.
_HOMES = (
    "model_registry.errors",
    "model_registry_server.transfer.errors",
    "model_registry_server.jobs.job",
    "model_registry_server.errors",
)
#: What a server says of a request, in the words of the registry.
_OTHERS = {"InvalidRequestError": "InvalidOptionError", "UnknownError": "StorageError"}
#: What a proxy answers while the server behind it is away.
_AWAY = frozenset({502, 503, 504})
#: How an error begins to advise of a package that is missing.
_INSTALL = "pip install "
_NO_TOKEN = f"set {TOKEN_VARIABLE} in the environment, or pass token=… to ModelRegistry"
_NEEDLESS_TOKEN = f"unset {TOKEN_VARIABLE}, and leave token=… out"
_BAD_TOKEN = f"it was revoked, ran out, or is mistyped: set {TOKEN_VARIABLE} or token=… to another"


class UnreachableError(StorageError):
    """The server cannot be reached, or the connection broke. Facts: ``path`` (the address)."""


#: What passes, so that the same may be tried again.
PASSING = (UnreachableError, TooManyRequestsError)


def unreachable(address: str, error: Exception) -> UnreachableError:
    """What to raise if a connection failed."""
    reason = str(error).strip() or type(error).__name__
    hint = "see that the server runs there, and try again"
    if is_no_tls(error):
        reason, hint = "no TLS is spoken there", f"write http://{address.partition('://')[2]}"
    return UnreachableError(f"{address} cannot be reached: {reason}", hint=hint, path=address)


def is_no_tls(error: BaseException) -> bool:
    """Whether something answered that is no TLS."""
    return any(isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER" for cause in causes_of(error))


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def misunderstood(address: str, what: str) -> StorageError:
    """What to raise for an answer that no server of ours gives."""
    hint = "see that the address is that of a model-registry server of this version"
    return StorageError(f"{address} {what}", hint=hint, path=address)


def is_missing(error: Exception) -> bool:
    """Whether the server says that there is no such thing, of what is no model."""
    return isinstance(error, ModelRegistryError) and type(error).__name__ == "NotFoundError"


def error_of_answer(response: httpx.Response, address: str) -> ModelRegistryError:
    """The error of which an answer tells."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    try:
        document = response.json()
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping) or not isinstance(document.get("detail"), str):
        return _error_of_stranger(response, status, address)
    if document.get("error") == "RequestError" and response.status_code == 404:
        return _error_of_place(response, status, address)
    hint, facts = document.get("hint"), document.get("facts")
    if response.status_code == 401:
        hint = _BAD_TOKEN if "authorization" in response.request.headers else _NO_TOKEN
        if isinstance(facts, Mapping) and facts.get("needed") is False:
            hint = _NEEDLESS_TOKEN
    return _made(document.get("error"), document["detail"], hint, facts, address)


def _error_of_place(response: httpx.Response, status: str, address: str) -> StorageError:
    """The error of a server that has nothing of a registry at this address."""
    request = response.request
    error = misunderstood(address, f"is not where a registry answers: {request.method} {request.url.path} got {status}")
    if address.count("/") == 2:
        return error
    return StorageError(error.message, hint=f"perhaps it is {'/'.join(address.split('/')[:3])}", path=address)


def _error_of_stranger(response: httpx.Response, status: str, address: str) -> ModelRegistryError:
    """The error of an answer that the server did not give, but something before it, or in its place."""
    code = response.status_code
    if code in _AWAY:
        hint = "a proxy says so, whose server is away: see that it runs, and try again"
        return UnreachableError(f"{address} cannot be reached: it answered {status}", hint=hint, path=address)
    if code == 429:
        wanted = response.headers.get("retry-after", "")
        seconds = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 1
        return TooManyRequestsError(f"{address} answered {status}", hint="ask less often", retry_after=seconds)
    if code == 413:
        hint = "a proxy says so: let it pass bodies of at least 64 MiB"
        return StorageError(f"{address} answered {status}", hint=hint, path=address)
    return misunderstood(address, f"answered {status}")


def error_of_job(document: Mapping[str, Any], address: str) -> ModelRegistryError:
    """The error for which a job failed."""
    facts = document.get("facts")
    return _made(document.get("type"), str(document.get("message")), document.get("hint"), facts, address)


def _made(name: object, message: str, hint: object, facts: object, address: str) -> ModelRegistryError:
    cls = _class_named(str(name))
    given = {str(key): value for key, value in facts.items()} if isinstance(facts, Mapping) else {}
    if cls is StorageError:
        given.setdefault("path", address)
    known = {key: value for key, value in given.items() if key not in ("message", "hint")}
    advice = str(hint or "")
    if advice.startswith(_INSTALL):
        advice = f"at the server: {advice}"  # to do it here would change nothing
    try:
        return cls(message, hint=advice, **known)
    except TypeError:  # a fact of a name that no error of ours has
        return misunderstood(address, f"answers something that is no registry's: {message!r:.200}")


def _class_named(name: str) -> type[ModelRegistryError]:
    name = _OTHERS.get(name, name)
    if name.isidentifier():
        for home in _HOMES:
            found = getattr(import_module(home), name, None)
            if isinstance(found, type) and issubclass(found, ModelRegistryError):
                return found
    return StorageError
