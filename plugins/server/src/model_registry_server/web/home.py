"""Where a reader begins, and what is nowhere."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from model_registry_server.api.permission import allow_everybody
from model_registry_server.web.page import PageRoute, see_other

router = APIRouter(route_class=PageRoute)


@router.get("/")
@router.get("/ui")
@router.get("/ui/")
@allow_everybody()
async def begin(request: Request) -> Response:
    """Begin with the list of models."""
    return see_other("/ui/models")


@router.get("/ui/{rest:path}")
@allow_everybody()
async def nowhere(request: Request, rest: str) -> Response:
    """There is no such page."""
    raise HTTPException(404)
