"""The ASGI application: every route, and what stands before all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import model_registry_server.paths  # noqa: F401 - the convertors that the routes name
from model_registry_server import problems
from model_registry_server.api import (
    comparing,
    downloads,
    events,
    exports,
    facts,
    health,
    jobs,
    models,
    receive,
    schemas,
    tokens,
    upkeep,
    upload,
    uploads,
    webhooks,
)
from model_registry_server.api.parameters import only_known
from model_registry_server.api.permission import Route
from model_registry_server.api_path import API
from model_registry_server.metrics import Measured
from model_registry_server.openapi import Described
from model_registry_server.paths import DecodedOnce
from model_registry_server.security.headers import Headers
from model_registry_server.security.hosts import Hosts
from model_registry_server.server import Server
from model_registry_server.shortcut import Shortcut
from model_registry_server.web.routes import ROUTERS as PAGES

#: In this order: a model's name may hold slashes, so what goes on after one is asked first.
_ROUTERS = (
    upload.router,
    uploads.router,
    receive.router,
    downloads.router,
    exports.router,
    facts.router,
    comparing.router,
    upkeep.router,
    jobs.router,
    tokens.router,
    events.router,
    webhooks.router,
    models.router,
)
_REFUSED = schemas.refused(400, 401, 403, 404, 408, 409, 413, 415, 422, 429)
_DESCRIPTION = """
A registry of AI models. Versions are immutable and identified by their SHA-256.

Send a token as `Authorization: Bearer …`; `model-registry token create` makes one. Errors are problem documents
(RFC 9457).
Work that takes long is answered with 202 and a job; with `Prefer: wait=30` the answer waits so many seconds for it.
A name with slashes is one part of a path: `team-a%2Fdigits`.
"""


def create_app(server: Server) -> Application:
    """The application of a server, which it starts and stops."""
    measured = Measured(Shortcut(routed(server), server), server.metrics)
    served: Any = Hosts(DecodedOnce(measured), (server.options.host, *server.options.hosts), API)
    if server.options.proxies:
        served = ProxyHeadersMiddleware(served, list(server.options.proxies))
    return Application(served, server)


def routed(server: Server) -> FastAPI:
    """All that a server answers, without what stands before it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await server.start()
        try:
            yield
        finally:
            await server.stop()

    app = Described(
        title="model-registry",
        version=_version(),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its assets come from other hosts
        redoc_url=None,
        redirect_slashes=False,
        default_response_class=JSONResponse,  # for the document: the routes make their answers themselves
    )
    app.state.server = server
    problems.install(app)
    app.include_router(health.router, responses=schemas.refused(401, 403, 429))
    for router in _ROUTERS:
        known = () if router is upload.router else (Depends(only_known),)  # in whose query any metadata may be
        app.include_router(router, prefix=API, responses=_REFUSED, dependencies=known)
    for router in PAGES:
        app.include_router(router)
    return app


class Application(Headers):
    """The application, which knows its server."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        super().__init__(app)
        self.server = server


def routes_of(routers: tuple[APIRouter, ...] = (health.router, *_ROUTERS)) -> list[Route]:
    """Every route there is."""
    return [route for router in routers for route in router.routes if isinstance(route, Route)]


def _version() -> str:
    from importlib.metadata import version

    return version("model-registry-server")
