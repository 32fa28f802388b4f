"""What a server refuses, beside what the registry itself does. Each class has its status.

::

    ModelRegistryError
    ├── AuthenticationError   (PermissionError)   401  nobody knows who asks
    ├── ForbiddenError        (PermissionError)   403  the token does not allow this
    ├── NotFoundError         (LookupError)       404  no such job, upload, token or webhook
    └── TooManyRequestsError  (RuntimeError)      429  more requests or jobs than one may have

Those of transfers are in :mod:`model_registry_server.transfer.errors`.
"""

from __future__ import annotations

from http import HTTPStatus

from model_registry.errors import ModelRegistryError


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
