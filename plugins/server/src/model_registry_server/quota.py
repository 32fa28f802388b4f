"""How much may come."""

from __future__ import annotations

from starlette.requests import Request

from model_registry_server.options import MEGABYTE
from model_registry_server.server import Server
from model_registry_server.transfer.errors import TooLargeError


def room(server: Server, announced: int = 0, slack: int = 0) -> int | None:
    """Bytes that may come; None for any number.

    :param announced: Bytes that the client says will.
    :param slack: Bytes of the body that are no file's.
    :raises TooLargeError: if that is more.
    """
    most = [int(server.options.max_upload_mb * MEGABYTE)] if server.options.max_upload_mb else []
    if server.options.quota_mb:
        used = server.registry.get_detailed_stats()["stored_bytes"] + server.uploads.bytes_of()
        most.append(max(int(server.options.quota_mb * MEGABYTE) - used, 0))
    if not most:
        return None
    if announced > min(most) + slack:
        hint = "max_upload_mb and quota_mb of [plugins.server] say how much may"
        raise TooLargeError(f"{announced:,} bytes are more than may come ({min(most):,})", hint=hint, limit=min(most))
    return min(most) + slack


def announced_by(request: Request) -> int:
    """Bytes that a request says its body has; 0 if it says nothing.

    What it says wrongly, whoever reads the body notices.
    """
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0
