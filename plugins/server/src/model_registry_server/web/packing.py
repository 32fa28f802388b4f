"""Pages, scripts and styles are sent packed to whoever can unpack them: a long page is mostly repetition."""

from __future__ import annotations

import gzip

from fastapi import Request

#: Content that is smaller is sent as it is.
_LEAST_BYTES = 1000


def pack(content: bytes, level: int = 5) -> bytes:
    """The content with gzip; the same content gives the same bytes."""
    return gzip.compress(content, level, mtime=0)


def is_worth_packing(request: Request, content: bytes) -> bool:
    """Whether the content is large enough, and the browser says that it can unpack it."""
    if len(content) < _LEAST_BYTES:
        return False
    accepted = [each.strip().replace(" ", "") for each in request.headers.get("accept-encoding", "").split(",")]
    return any(each.partition(";")[0] == "gzip" and each.partition(";q=")[2] not in ("0", "0.0") for each in accepted)
