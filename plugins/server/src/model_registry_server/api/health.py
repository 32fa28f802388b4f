"""Whether the server is alive, ready, and how it does; and what can be asked."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response

from model_registry_server.answers import answer
from model_registry_server.api import schemas
from model_registry_server.api.permission import Route, allow, allow_everybody, server_of
from model_registry_server.metrics import MEDIA_TYPE
from model_registry_server.security.roles import Role

router = APIRouter(route_class=Route, tags=["health"])


@router.get("/healthz", response_model=schemas.Health)
@allow_everybody()
async def is_alive(request: Request) -> Response:
    """Whether the server answers."""
    return answer({"status": "ok"})


@router.get("/readyz", response_model=schemas.Health, responses=schemas.NOT_READY)
@allow_everybody()
async def is_ready(request: Request) -> Response:
    """Whether the registry can be read, and there is room to write; looked at once a second, however many ask."""
    await server_of(request).readiness.check()
    return answer({"status": "ok"})


@router.get("/metrics", response_class=Response, responses=schemas.METRICS)
@allow(Role.READER, everything=True)
async def metrics(request: Request) -> Response:
    """Metrics for Prometheus."""
    return Response(await run_sync(server_of(request).metrics.text), media_type=MEDIA_TYPE)
