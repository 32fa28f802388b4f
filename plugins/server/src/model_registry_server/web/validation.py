"""Validating the registry, and the newest report."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from model_registry_server.api import jobs as api
from model_registry_server.api.permission import allow, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.forms import fields_of
from model_registry_server.web.page import PageRoute, see_other
from model_registry_server.web.rendering import render

router = APIRouter(route_class=PageRoute)


@router.get("/ui/validate")
@allow(Role.READER, everything=True)
def show_report(request: Request) -> Response:
    """The newest report."""
    return render(request, "validate.html", job=server_of(request).stored_jobs.newest("validate", "succeeded"))


@router.post("/ui/validate")
@allow(Role.READER, everything=True, changes=False)
async def validate_registry(request: Request) -> Response:
    """Check every version."""
    deep = (await fields_of(request)).get("deep") == "on"
    job = await api.submit(request, "validate", {"deep": deep}, [], f"validate {deep}")
    return see_other(f"/ui/jobs/{job.id}")
