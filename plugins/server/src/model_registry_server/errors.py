"""What a server refuses, beside what the registry itself does. Each class has its status.

::

    ModelRegistryError
    ├── AuthenticationError   (PermissionError)   401  nobody knows who asks
    ├── ForbiddenError        (PermissionError)   403  the token does not allow this
    ├── NotFoundError         (LookupError)       404  no such job, upload, token or webhook
    └── TooManyRequestsError  (RuntimeError)      429  more requests or jobs than one may have

Those of transfers are in :mod:`model_registry_server.transfer.errors`. Each is told by a problem document (RFC 9457),
which beside ``type``, ``title``, ``status`` and ``detail`` holds ``error``: the class, ``hint``: what to do, and
``facts``: what it is about.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from model_registry.errors import ModelRegistryError

PROBLEM_TYPE = "application/problem+json"


def problem(status: int, detail: str, *, error: str = "RequestError", hint: str = "", **facts: Any) -> dict[str, Any]:
    """A problem document.

    :param error: The name of a class of errors.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", error.removesuffix("Error")).lower()
    return {
        "type": f"urn:model-registry:{words}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "hint": hint,
        "error": error,
        "facts": facts,
    }


def refusal_of_content(status: int) -> dict[str, Any]:
    """Why a content is not sent, by the status that says so: 412 or 416."""
    detail, hint = _OF_CONTENT[status]
    return problem(status, detail, hint=hint)


_OF_CONTENT = {
    412: ("the content is another one", "ask without If-Match for what is there now"),
    416: ("there are no such bytes", "Content-Range says how many there are"),
}


class AuthenticationError(ModelRegistryError, PermissionError):
    """Nobody knows who asks: a token is missing or is none (any more)."""

    status = HTTPStatus.UNAUTHORIZED


class ForbiddenError(ModelRegistryError, PermissionError):
    """The caller's token does not allow this."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ModelRegistryError, LookupError):
    """There is no such job, upload, token or webhook. Facts: ``id``."""

    status = HTTPStatus.NOT_FOUND


class TooManyRequestsError(ModelRegistryError, RuntimeError):
    """More requests a minute, or jobs, than a caller may have. Facts: ``retry_after``, in seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS
