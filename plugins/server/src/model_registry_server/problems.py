"""Errors as problem documents (RFC 9457): each class has a status, and a client can make the error again."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from model_registry import errors
from model_registry.errors import ModelRegistryError
from model_registry_server import advice
from model_registry_server.api.bodies import BodyRefused
from model_registry_server.errors import PROBLEM_TYPE, AuthenticationError, problem
from model_registry_server.jobs.failures import WorkerError

logger = logging.getLogger("model_registry.server")

#: The first class of an error's bases that stands here decides.
STATUS: Mapping[type[Exception], int] = {
    errors.ModelNotFoundError: 404,
    errors.SourceNotFoundError: 404,
    errors.VersionExistsError: 409,
    errors.DestinationExistsError: 409,
    errors.RegistrationLostError: 409,
    errors.AliasMovedError: 409,
    errors.InvalidNameError: 422,
    errors.InvalidMetadataError: 422,
    errors.InvalidOptionError: 422,
    errors.InvalidQueryError: 422,
    errors.ParityError: 422,
    errors.UnsupportedModelError: 422,
    errors.UnsafeModelError: 422,
    errors.ClassNotFoundError: 422,
    errors.UnsupportedFormatError: 415,
    errors.PermissionRequiredError: 403,
    errors.ConfigurationError: 500,
    errors.IntegrityError: 500,
    errors.PluginError: 500,
    errors.RegistryNotFoundError: 503,
    errors.StorageError: 503,
}


def status_of(error: ModelRegistryError) -> int:
    """The status of an error."""
    own = getattr(type(error), "status", None)
    if own is not None:
        return int(own)
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)


def document_of(error: ModelRegistryError) -> dict[str, Any]:
    """The problem document of an error."""
    name, facts = type(error).__name__, _plain_facts(error.facts)
    return {**problem(status_of(error), error.message, error=name, hint=error.hint), "facts": facts}


def response(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The answer that says it."""
    body = json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace")
    return Response(body, document["status"], dict(headers or {}), media_type=PROBLEM_TYPE)


def install(app: FastAPI) -> None:
    """Let every error that leaves a route be answered with a problem document."""

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, ModelRegistryError)  # noqa: S101 - what it is installed for
        return of_error(error, request.app.state.server.folder)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
        return response(advice.of_fields(request, error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - likewise
        if isinstance(error, BodyRefused):
            return of_error(error.error)
        if error.status_code == 405:
            document = advice.of_method(request)
            return response(document, {**(error.headers or {}), "Allow": ", ".join(document["facts"]["allowed"])})
        if error.status_code == 404:
            return response(advice.of_path(request))
        return response(problem(error.status_code, str(error.detail)), error.headers)

    async def of_worker(request: Request, error: Exception) -> Response:
        assert isinstance(error, WorkerError)  # noqa: S101 - likewise
        return of_error(error.original(), request.app.state.server.folder)

    async def left(request: Request, error: Exception) -> Response:
        return Response(status_code=400)  # which nobody gets, and it is no failure of the server

    async def unknown(request: Request, error: Exception) -> Response:
        return unexpected(error)

    app.add_exception_handler(ModelRegistryError, known)
    app.add_exception_handler(WorkerError, of_worker)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(Exception, unknown)


def of_error(error: ModelRegistryError, folder: Path | None = None) -> Response:
    """The answer to an error of the registry's tree.

    :param folder: The registry's: where it is on the server is nobody's business.
    """
    document = document_of(error)
    if folder is not None:
        document = _without(str(folder), document)
    if document["status"] >= 500:
        logger.warning("%s: %s", type(error).__name__, error)
    headers = {}
    if isinstance(error, AuthenticationError):
        headers["WWW-Authenticate"] = 'Bearer realm="model-registry"'
    if document["status"] in (408, 413):
        headers["Connection"] = "close"  # the rest of the body, which nobody wants, need not be read
    if "retry_after" in error.facts:
        headers["Retry-After"] = str(error.facts["retry_after"])
    return response(document, headers)


def unexpected(error: Exception) -> Response:
    """The answer to any other error, of which nothing leaves the server."""
    logger.error("a request failed", exc_info=error)
    hint = "try again; the server's log tells more"
    return response(problem(500, "the server failed", error="InternalError", hint=hint))


def _without(folder: str, value: Any) -> Any:
    """The same, with the paths in a folder as they are in it."""
    if isinstance(value, str):
        return value.replace(f"{folder}/", "").replace(folder, "the registry")
    return {key: _without(folder, item) for key, item in value.items()} if isinstance(value, dict) else value


def _plain_facts(facts: Mapping[str, object]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is None or isinstance(value, (str, int, float, bool))}
