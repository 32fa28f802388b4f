"""What is inside a version: its tensors and modules, which a worker reads from the files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from anyio.to_thread import run_sync
from attrs import field, frozen
from fastapi import APIRouter, Query, Request, Response

from model_registry_server.api.models import MOST_INSIDE
from model_registry_server.api.permission import allow, server_of
from model_registry_server.api.quick import look
from model_registry_server.security.roles import Role
from model_registry_server.web.page import PageRoute
from model_registry_server.web.rendering import render

router = APIRouter(route_class=PageRoute)

#: Tensors, and modules, that one page shows.
MOST = 1000
#: Deeper parts of a path stay together, as the name of the last one.
_DEEPEST = 10


@frozen
class Layer:
    """The tensors of one module, one after the other."""

    name: str
    tensors: list[Mapping[str, Any]] = field(factory=list)

    @property
    def nbytes(self) -> int:
        """Bytes of all."""
        return sum(tensor["nbytes"] for tensor in self.tensors)


@frozen
class Module:
    """A part of a model."""

    name: str
    line: str
    parts: dict[str, Module] = field(factory=dict)

    @property
    def size(self) -> int:
        """How many parts are below it."""
        return sum(1 + part.size for part in self.parts.values())


@router.get("/ui/models/{name:model}/versions/{version:part}/inside")
@allow(Role.READER)
async def look_inside(
    request: Request,
    name: str,
    version: str,
    start: Annotated[int, Query(alias="from", ge=0, lt=1 << 31)] = 0,
    fragment: bool = False,
) -> Response:
    """The tensors and modules of a version."""
    entry = await run_sync(server_of(request).registry.resolve, name, version)
    most = MOST if start else MOST_INSIDE  # the first page chooses among the modules, those after it show none
    arguments = {"name": entry.name, "version": entry.version, "start": start, "most": most}
    told = await look(request, "inside", arguments)
    count = told["tensor_count"]
    return render(
        request,
        "parts/inside.html" if fragment else "inside.html",
        entry=entry,
        layers=layers(told["tensors"][:MOST]),
        tree=None if start else tree(told["modules"]),
        most=MOST,
        modules=told["module_count"],
        tensors=count,
        nbytes=told["nbytes"],
        start=start,
        next=start + MOST if start + MOST < count else None,
    )


def layers(tensors: Iterable[Mapping[str, Any]]) -> list[Layer]:
    """The tensors by the module that they belong to."""
    found: dict[str, Layer] = {}
    for tensor in tensors:
        name = tensor["name"].rpartition(".")[0]
        found.setdefault(name, Layer(name)).tensors.append(tensor)
    return list(found.values())


def tree(modules: Mapping[str, str]) -> Module | None:
    """The modules as a tree, of which :data:`MOST` are shown, those that are least deep; None if there are none."""
    if not modules:
        return None
    root = Module("", modules.get("", ""))
    for path, line in sorted(modules.items(), key=lambda item: (bool(item[0]), item[0].count(".")))[:MOST]:
        if path:
            _put(root, path, line)
    return root


def _put(root: Module, path: str, line: str) -> None:
    parts = path.split(".", _DEEPEST - 1)
    node = root
    for part in parts[:-1]:
        node = node.parts.setdefault(part, Module(part, ""))
    last = node.parts.get(parts[-1])
    node.parts[parts[-1]] = Module(parts[-1], line, {} if last is None else last.parts)
