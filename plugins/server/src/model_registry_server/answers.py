"""Answers that are kept until something in the registry changes.

Every change of a registry is in its history, so the number of the newest event says whether anything changed. Asking
for it costs far less than making a list of models again.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from model_registry import ModelRegistry
from model_registry.documents import plain

_MOST_ANSWERS = 256
_MOST_BYTES = 256 * 1024
_JSON = "application/json"


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document as JSON."""
    return Response(_encode(document), status, headers, media_type=_JSON)


class Answers:
    """The newest answers, by what was asked; only small ones, and few."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._kept: OrderedDict[tuple[object, ...], tuple[int, bytes]] = OrderedDict()

    def revision(self) -> int:
        """The number of the newest change; 0 if there is none."""
        newest = self._registry.history(limit=1)
        return newest[0].id if newest else 0

    async def get(self, request: Request, key: tuple[object, ...], make: Callable[[], Any]) -> Response:
        """The answer to a question, made anew in a thread if anything changed.

        :param key: What was asked, and all that the answer depends on beside the registry's content.
        :param make: Makes the document.
        """
        revision = self.revision()  # first: what changes while the answer is made makes it old
        kept = self._kept.get(key)
        if kept is None or kept[0] != revision:
            kept = revision, await run_sync(lambda: _encode(make()))
            if len(kept[1]) <= _MOST_BYTES:
                self._keep(key, kept)
        else:
            self._kept.move_to_end(key)
        tag = f'W/"{revision}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(kept[1], headers={"ETag": tag, "Cache-Control": "private, no-cache"}, media_type=_JSON)

    def _keep(self, key: tuple[object, ...], kept: tuple[int, bytes]) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_ANSWERS:
            self._kept.popitem(last=False)


def _encode(document: Any) -> bytes:
    return json.dumps(plain(document), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
