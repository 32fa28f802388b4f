"""Answers that are kept until something in the registry changes.

Every change of what versions there are, and of what is said of them, is in the history, so the number of the newest
event says whether anything changed. Asking for it costs far less than making a list of models again, or even than
finding the route that does.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from anyio.to_thread import run_sync
from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from model_registry import ModelRegistry
from model_registry.documents import plain
from model_registry_server.security.roles import Caller
from model_registry_server.transfer.ranges import matches

_MOST_ANSWERS = 256
_MOST_BYTES = 256 * 1024
_JSON = "application/json"

Question = tuple[object, ...]


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document as JSON."""
    return Response(_encode(document), status, headers, media_type=_JSON)


def question_of(scope: Scope, caller: Caller) -> Question:
    """What tells a question from every other: the same may be answered differently to callers who may see less."""
    return scope["path"], scope["query_string"], caller.role, caller.patterns


@frozen
class Kept:
    """An answer as it was made at a revision of the registry.

    :param route: The route that made it.
    """

    revision: int
    body: bytes
    etag: str
    route: Any

    def response(self, request_etag: str | None) -> Response:
        """What is sent, to a caller who has this entity already, if it is the same."""
        headers = {"ETag": self.etag, "Cache-Control": "private, no-cache"}
        if request_etag is not None and matches(request_etag, self.etag.strip('"'), weak=True):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=_JSON)


class Answers:
    """The newest answers, by what was asked; only small ones, and few."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._kept: OrderedDict[Question, Kept] = OrderedDict()
        self._asked: Counter[Question] = Counter()

    def revision(self) -> int:
        """The number of the newest change; 0 if there is none.

        It is asked for on the event loop: the row is found in about 25 µs, a thread would take longer. It is a read of
        a SQLite file with a log (WAL), which waits for no writer, however long its transaction lasts.
        """
        newest = self._registry.history(limit=1)
        return newest[0].id if newest else 0

    def may_know(self, scope: Scope) -> bool:
        """Whether this was asked before, whoever it was."""
        return (scope["path"], scope["query_string"]) in self._asked

    def find(self, question: Question) -> Kept | None:
        """The answer, if nothing has changed since it was made."""
        kept = self._kept.get(question)
        if kept is None or kept.revision != self.revision():
            return None
        self._kept.move_to_end(question)
        return kept

    async def get(self, request: Request, make: Callable[[], Any]) -> Response:
        """The answer to a request, made in a thread, and kept.

        :param make: Makes the document. It may depend on the request's address, the caller's rights, and what is in the
            registry, on nothing else.
        """
        revision = self.revision()  # first: what changes while the answer is made makes it old
        body = await run_sync(lambda: _encode(make()))
        kept = Kept(revision, body, f'"{sha256(body).hexdigest()[:32]}"', request.scope.get("route"))
        if len(body) <= _MOST_BYTES:
            self._keep(question_of(request.scope, request.state.caller), kept)
        return kept.response(request.headers.get("if-none-match"))

    def _keep(self, question: Question, kept: Kept) -> None:
        if question not in self._kept:
            self._asked[question[:2]] += 1
        self._kept[question] = kept
        while len(self._kept) > _MOST_ANSWERS:
            oldest, _ = self._kept.popitem(last=False)
            self._asked[oldest[:2]] -= 1
            if not self._asked[oldest[:2]]:
                del self._asked[oldest[:2]]


def _encode(document: Any) -> bytes:
    return json.dumps(plain(document), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
