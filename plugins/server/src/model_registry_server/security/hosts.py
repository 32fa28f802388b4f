"""Refuses what a web page elsewhere makes a browser send here.

A page may point its own name at this machine (DNS rebinding): its requests then carry that name as the ``Host``. Or it
may send a form, or a fetch without asking first, straight to this server's name: those carry its ``Origin``. What only
reads it cannot see, but may cost work: other sites may link to pages here, and no more. A page that starts a job asks
:func:`is_from_afar` as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus

from model_registry_server.security.host_names import canonical, is_listed
from model_registry_server.security.refusals import App, Receive, Scope, Send, refuse

#: Names that stand for this machine, wherever they are resolved.
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(rb"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(rb"(https?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_LONGEST = 255
_DEFAULT_PORTS = {b"http": 80, b"https": 443}

_WRONG_HOST = "call it by a name in hosts of [plugins.server] in registry.toml, or add this one there"
_WRONG_ORIGIN = "send the request without a browser"
_NO_LINK = "type the address into the browser, or send the request without one"


class Hosts:
    """ASGI middleware that passes on only what is addressed to this server, and not sent by another site's page.

    :param app: The application.
    :param allowed: Names of this server, and patterns such as ``*.example.com``. Ports do not matter, and loopback
        names are always allowed.
    :param no_pages: How the paths begin of what is no page, to which no other site may link: much of it starts work.
    """

    def __init__(self, app: App, allowed: Sequence[str], no_pages: str) -> None:
        self._app = app
        self._no_pages = no_pages
        names = (*LOOPBACK, *allowed)

        @lru_cache(maxsize=256)  # clients say the same few names again and again
        def is_ours(value: bytes) -> bool:
            match = _HOST.fullmatch(value)
            return match is not None and is_listed(match[1].decode(), names)

        self._is_ours = is_ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "http":
            headers = scope["headers"]
            host = _only(headers, b"host")
            if host is None or not (self._is_ours(host) or _is_address_of(scope, host)):
                said = (host or b"").decode("latin-1")[:_LONGEST]
                detail = f"this server is not called {said!r}"
                return await refuse(
                    send, HTTPStatus.MISDIRECTED_REQUEST, detail, _WRONG_HOST, host=said, option="hosts"
                )
            if scope["method"] not in _SAFE_METHODS:
                if _is_foreign(headers, host):
                    detail = "a page of another site may not change anything here"
                    return await refuse(send, HTTPStatus.FORBIDDEN, detail, _WRONG_ORIGIN)
            elif is_from_afar(headers) and not (_is_link(headers) and self._is_page(scope["path"])):
                detail = "a page of another site may not ask for this"
                return await refuse(send, HTTPStatus.FORBIDDEN, detail, _NO_LINK)
        elif scope["type"] == "websocket":  # there are none, and browsers open them across sites without asking
            await receive()
            return await send({"type": "websocket.close", "code": 1008})
        return await self._app(scope, receive, send)

    def _is_page(self, path: str) -> bool:
        return not f"{path}/".startswith(f"{self._no_pages}/")


def _is_address_of(scope: Scope, host: bytes) -> bool:
    """Whether the host is the very address that the connection came to: nobody's name can be pointed at that."""
    match, (address, _) = _HOST.fullmatch(host), scope.get("server") or ("", None)
    return match is not None and bool(address) and canonical(match[1].decode()) == canonical(address)


def _only(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The value of a header that is there once; None if it is missing or repeated."""
    found = None
    for key, value in headers:
        if key == name:
            if found is not None:
                return None
            found = value
    return found


def _is_foreign(headers: Sequence[tuple[bytes, bytes]], host: bytes) -> bool:
    names = {key for key, _ in headers}
    if b"origin" in names:
        origin = _only(headers, b"origin")
        return origin is None or not _is_same(origin, host)
    return is_from_afar(headers)  # which a browser says that hides the origin


def is_from_afar(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a browser says that it asks for another site's page; «none» is the user, at the address bar.

    :param headers: Names in lower case, and what they say.
    """
    said = [value for name, value in headers if name == b"sec-fetch-site"]
    return bool(said) and said not in ([b"same-origin"], [b"none"])


def _is_link(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a browser says that it fills a tab: no picture, no frame, nothing that a script fetches."""
    return (_only(headers, b"sec-fetch-mode"), _only(headers, b"sec-fetch-dest")) == (b"navigate", b"document")


@lru_cache(maxsize=256)
def _is_same(origin: bytes, host: bytes) -> bool:
    """Whether an origin is that of the host. Whoever ended TLS before this server knows the scheme; here none does."""
    page, here = _ORIGIN.fullmatch(origin), _HOST.fullmatch(host)
    if page is None or here is None:
        return False
    default = _DEFAULT_PORTS[page[1]]
    ports = int(page[3] or default), int(here[2] or default)
    return ports[0] == ports[1] and canonical(page[2].decode()) == canonical(here[1].decode())
