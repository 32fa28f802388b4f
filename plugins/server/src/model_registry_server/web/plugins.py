"""The plugins, and the formats that they handle."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from model_registry_server.api.permission import allow, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.page import PageRoute
from model_registry_server.web.rendering import render

router = APIRouter(route_class=PageRoute)


@router.get("/ui/plugins")
@allow(Role.READER)
def list_plugins(request: Request) -> Response:
    """The plugins."""
    registry = server_of(request).registry
    return render(request, "plugins.html", plugins=registry.plugins(), formats=list(registry.formats().values()))
