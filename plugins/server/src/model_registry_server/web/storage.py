"""What the models take, as a picture."""

from __future__ import annotations

from collections import Counter

from attrs import frozen
from fastapi import APIRouter, Request, Response

from model_registry import ModelRegistry
from model_registry_server.api.permission import allow, server_of
from model_registry_server.security.roles import Role
from model_registry_server.web.page import PageRoute
from model_registry_server.web.rendering import render
from model_registry_server.web.svg import treemap

router = APIRouter(route_class=PageRoute)

_TILES = 40
#: Of the picture, in a wide window and on a phone, where it would be too small to be read.
_SHAPES = (("wide", 1000, 420), ("tall", 360, 460))
_LISTED = 30
#: Versions of a model whose files are looked at.
_MOST = 100


@frozen
class Use:
    """What a model takes: bytes of all its files, and of those that differ; None if it has too many versions."""

    name: str
    versions: int
    logical: int
    distinct: int | None


@router.get("/ui/storage")
@allow(Role.READER, everything=True)
def show_storage(request: Request) -> Response:
    """What the models take."""
    registry = server_of(request).registry
    sizes, counts = _sizes(registry)
    largest = sizes.most_common(_TILES)
    rest = sizes.total() - sum(size for _, size in largest)
    uses = [Use(name, counts[name], size, _distinct(registry, name, counts[name])) for name, size in largest[:_LISTED]]
    maps = [(kind, width, height, treemap([*largest, ("", rest)], width, height)) for kind, width, height in _SHAPES]
    return render(request, "storage.html", stats=registry.get_detailed_stats(), maps=maps, uses=uses)


def _sizes(registry: ModelRegistry) -> tuple[Counter[str], Counter[str]]:
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for entry in registry.list_models():
        sizes[entry.name] += entry.size
        counts[entry.name] += 1
    return sizes, counts


def _distinct(registry: ModelRegistry, name: str, versions: int) -> int | None:
    if versions > _MOST:
        return None
    blobs = {file.sha256: file.size for entry in registry.list_models(name=name) for file in entry.files}
    return sum(blobs.values())
