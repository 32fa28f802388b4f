"""Scripts and styles, read once. Their address changes with their content, so browsers keep them for good."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from model_registry_server.api.permission import Route, allow_everybody
from model_registry_server.web.packing import is_worth_packing, pack

router = APIRouter(route_class=Route)

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES = {path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "static").iterdir())}
_PACKED = {name: pack(content, 9) for name, content in _FILES.items()}
#: Of all files together: scripts import each other by relative addresses, so they change as one.
_MARK = sha256(b"".join(name.encode() + content for name, content in _FILES.items())).hexdigest()[:16]
_FOREVER = "public, max-age=31536000, immutable"


def asset(name: str) -> str:
    """The address of a file.

    :raises KeyError: if there is no such file.
    """
    _ = _FILES[name]
    return f"/ui/static/{_MARK}/{name}"


@router.get("/ui/static/{mark}/{name}", include_in_schema=False)
@allow_everybody()
async def send_asset(request: Request, mark: str, name: str) -> Response:
    """A file. Of an address from before an update, the newer file is sent, and not kept."""
    content = _FILES.get(name)
    if content is None:
        raise HTTPException(404, "there is no such file")
    headers = {"Cache-Control": _FOREVER if mark == _MARK else "no-cache", "Vary": "Accept-Encoding"}
    if is_worth_packing(request, content):
        content = _PACKED[name]
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=_TYPES.get(Path(name).suffix, "application/octet-stream"))
