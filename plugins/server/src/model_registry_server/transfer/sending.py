"""The response that sends a content: whole, in part, or not at all if the client has it already."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from model_registry import ModelRegistryError
from model_registry_server.errors import PROBLEM_TYPE, refusal_of_content
from model_registry_server.transfer.content import Buffer, Content, FilePart, Piece
from model_registry_server.transfer.ranges import Answer, answer
from model_registry_server.transfer.reading import Files
from model_registry_server.transfer.threads import begin, ended, in_thread

logger = logging.getLogger("model_registry.server")

#: Less than this waits for more: an archive of small files is not sent in a thousand packets.
_SMALL = 64 << 10


class Sending(Response):
    """Return it from a route. Further headers may be set by ``headers``.

    How slowly a client may take it is for the server to say, which alone sees what of it was taken.

    Whatever is wrong with it is raised before anything is sent, as a ``ModelRegistryError``.

    :param counted: Entered while it is sent; may refuse that.
    """

    def __init__(self, content: Content, counted: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self.content = content
        self._counted = counted
        self.status_code = 200
        self.background = None
        self.media_type = content.media_type
        self.init_headers(_headers(content))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope)
        joined = {name: ", ".join(given.getlist(name)) for name in given}
        size = self.content.size if self.content.ranges else None
        found = answer(scope["method"], joined, self.content.etag, size)
        if found.status in (200, 206):
            with self._counted():
                await self._send_content(scope, receive, send, found)
        else:
            await self._send_refusal(scope, send, found.status)
        if self.background is not None:
            await self.background()

    async def _send_refusal(self, scope: Scope, send: Send, status: int) -> None:
        """What the client asked for is not sent; why, is."""
        headers = MutableHeaders(raw=list(self.raw_headers))
        for name in ("content-length", "content-type", "content-disposition", "repr-digest"):
            del headers[name]
        body = b""
        if status != 304:
            body = json.dumps(refusal_of_content(status)).encode()
            headers["content-type"] = PROBLEM_TYPE
            headers["content-length"] = str(len(body))
        if status == 416:
            headers["content-range"] = f"bytes */{self.content.size}"
        await send({"type": "http.response.start", "status": status, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _send_content(self, scope: Scope, receive: Receive, send: Send, found: Answer) -> None:
        headers = MutableHeaders(raw=list(self.raw_headers))
        pieces: Iterable[Piece] = self.content.pieces
        if found.status == 206:
            span = found.span
            pieces = tuple(self.content.cut(span.start, span.stop))
            headers["content-length"] = str(len(span))
            headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{self.content.size}"
        files = Files()
        try:
            # Before anything is sent: a file that is gone makes an error, not a broken body.
            await in_thread(files.look_at, pieces)
            await send({"type": "http.response.start", "status": found.status, "headers": headers.raw})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                await self._send_body(files, pieces, receive, send)
        finally:
            files.close()

    async def _send_body(self, files: Files, pieces: Iterable[Piece], receive: Receive, send: Send) -> None:
        """Whatever fails from here on can only end the connection: what was sent cannot be taken back."""
        try:
            await _Body(files, send).send_all(pieces, receive)
        except (ModelRegistryError, OSError) as error:
            logger.warning("sending %s ended early: %s", self.content.name, error)


class _Body:
    """Sends pieces in chunks of a good size, as long as somebody takes them."""

    def __init__(self, files: Files, send: Send) -> None:
        self._files = files
        self._send = send
        self._small: list[Buffer] = []
        self._small_size = 0

    async def send_all(self, pieces: Iterable[Piece], receive: Receive) -> None:
        leaving = asyncio.ensure_future(_left(receive))
        try:
            for piece in pieces:
                if isinstance(piece, FilePart):
                    await self._send_part(piece, leaving)
                else:
                    await self._put(piece)
                if leaving.done():
                    return
            await self._flush(more=False)
        finally:
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving

    async def _send_part(self, part: FilePart, leaving: asyncio.Future[None]) -> None:
        done = 0
        while done < part.length:
            await self._send_on(b"")  # returns when there is room: until then, nothing that would be sent is held
            data = await self._files.read(part, done)
            await self._put_and_show(data, part)
            done += len(data)
            # A server takes and drops what is sent to a client that has left, and does so without ever waiting.
            await asyncio.sleep(0)
            if leaving.done():
                return

    async def _put_and_show(self, data: Buffer, part: FilePart) -> None:
        if part.seen is None:
            await self._put(data)
        elif len(data) < _SMALL:
            part.seen(data)
            await self._put(data)
        else:
            seeing = begin(part.seen, data)
            try:
                await self._put(data)
            finally:
                await ended(seeing)

    async def _put(self, data: Buffer) -> None:
        if len(data) < _SMALL:
            self._small.append(data)
            self._small_size += len(data)
            if self._small_size >= _SMALL:
                await self._flush()
        else:
            if self._small:
                await self._flush()
            await self._send_on(data)

    async def _flush(self, *, more: bool = True) -> None:
        data = b"".join(self._small)
        self._small.clear()
        self._small_size = 0
        await self._send_on(data, more=more)

    async def _send_on(self, data: Buffer, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


async def _left(receive: Receive) -> None:
    """Ends when the client has left. What it may still send is not wanted."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(content: Content) -> dict[str, str]:
    headers = {
        "content-type": content.media_type,
        "content-disposition": content_disposition(content.name),
        "accept-ranges": "bytes" if content.ranges and content.size is not None else "none",
        "cache-control": "private, no-cache",
    }
    if content.size is not None:
        headers["content-length"] = str(content.size)
    if content.etag is not None:
        headers["etag"] = f'"{content.etag}"'
    if content.sha256 is not None:
        headers["repr-digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(content.sha256)).decode()}:"
    return headers


def content_disposition(name: str) -> str:
    """The header that makes browsers save the content and never show it, by RFC 6266 and RFC 8187.

    :param name: The file name; what comes before the last slash of either kind is left away.
    """
    last = re.split(r"[/\\]", name)[-1]
    shown = re.sub(r"[\x00-\x1f\x7f]", "", last) or "download"
    plain = re.sub(r'[^\x20-\x7e]|["%]', "_", shown)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(shown, safe='', errors='replace')}"
