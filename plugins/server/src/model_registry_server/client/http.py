"""Requests to one server: with a token, for any number of threads, and again where that changes nothing."""

from __future__ import annotations

import os
import socket
import ssl
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies

import httpx

from model_registry import ModelRegistryError
from model_registry_server.api_path import API
from model_registry_server.client.actor import actor_headers
from model_registry_server.client.address import is_loopback
from model_registry_server.client.answer import Answer
from model_registry_server.client.bodies import require_plain, whole
from model_registry_server.client.errors import (
    PASSING,
    UnreachableError,
    causes_of,
    error_of_answer,
    is_no_tls,
    misunderstood,
    unreachable,
)
from model_registry_server.client.patience import wanted_pause
from model_registry_server.errors import TooManyRequestsError

#: Seconds to connect, and to wait for the next bytes, or until some more are taken: a line may fall silent without
#: breaking.
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
#: Of a request that has the server read or write a whole model before it answers.
PATIENT = httpx.Timeout(60.0, read=3600.0, connect=10.0)
_PAUSES = (0.1, 0.4, 1.2)
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})
#: Of a word that whoever gives up still says, once or twice.
_FAREWELL = httpx.Timeout(3.0)
#: There was no connection yet by which anything could be sent.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
#: The system asks whether the other side is still there, so that nobody waits long for an answer that cannot come.
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=20.0)


class Http:
    """Sends requests to the server at an address."""

    def __init__(self, address: str, token: str | None) -> None:
        self.address = address
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "model-registry-server"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        # Connections cannot be shared with a process that was forked. Its own stay open in the other one.
        self._clients: dict[int, httpx.Client] = {}
        weakref.finalize(self, _close, self._clients)

    def close(self) -> None:
        """Close the connections of this process; another request opens new ones."""
        _close(self._clients)

    def get(self, path: str, /, timeout: httpx.Timeout = TIMEOUT, **params: Any) -> Answer:
        """The document that is at a path."""
        return self.document(self.request("GET", path, params=params, timeout=timeout))

    def send(self, method: str, path: str, body: Any = None, **given: Any) -> Answer:
        """Send a document; the one that is answered."""
        return self.document(self.request(method, path, json=body, **given))

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: Any = None,
        timeout: httpx.Timeout = TIMEOUT,
        repeatable: bool | None = None,
    ) -> httpx.Response:
        """The answer to a request, which is not an error.

        :param repeatable: It may be sent again if nobody knows whether it arrived. Default: by the method.
        :raises ModelRegistryError: the one that the server tells of.
        :raises UnreachableError: if it cannot be reached.
        """
        again = method in _REPEATABLE if repeatable is None else repeatable
        pauses = iter(_PAUSES)
        while True:
            request = self._client.build_request(
                method,
                f"{self.address}{API}{path}",
                json=json,
                params=_said(params),
                content=content,
                headers={**actor_headers(), **(headers or {})},
                timeout=timeout,
            )
            try:
                return self._answered(request)
            except PASSING as error:
                pause = next(pauses, None) if again or _was_not_done(error) else None
                if pause is None or content is not None or _is_hopeless(error):
                    raise
                time.sleep(max(pause, wanted_pause(error)))

    def forgo(self, path: str) -> bool:
        """Let the server delete what is not wanted any more. Who gives up does not wait long for that.

        :returns: Whether the server says that it did.
        """
        for _ in range(2):  # a connection that was open may have been closed at the other end
            url = f"{self.address}{API}{path}"
            request = self._client.build_request("DELETE", url, headers=actor_headers(), timeout=_FAREWELL)
            try:
                self._answered(request)
                return True
            except UnreachableError:
                continue
            except ModelRegistryError:
                break
        return False

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], params: Mapping[str, Any]) -> Iterator[httpx.Response]:
        """The answer to a GET, whose body is read piece by piece. Whatever breaks is an :class:`UnreachableError`."""
        request = self._client.build_request(
            "GET", f"{self.address}{API}{path}", params=_said(params), headers=dict(headers), timeout=TIMEOUT
        )
        try:
            response = self._client.send(request, stream=True)
            try:
                if response.status_code >= 300:
                    self._require_success(whole(response, self.address))
                require_plain(response, self.address)
                yield response
            finally:
                response.close()
        except httpx.TransportError as error:
            raise unreachable(self.address, error) from error

    def _answered(self, request: httpx.Request) -> httpx.Response:
        try:
            streamed = self._client.send(request, stream=True)
            try:
                response = whole(streamed, self.address)
            finally:
                streamed.close()
        except httpx.TransportError as error:
            raise unreachable(self.address, error) from error
        self._require_success(response)
        return response

    @property
    def _client(self) -> httpx.Client:
        client = self._clients.get(os.getpid())
        if client is None:
            by_proxy = not is_loopback(self.address) and bool(getproxies())  # none reaches this machine's own addresses
            made = httpx.Client(
                headers=self._headers,
                limits=_LIMITS,
                timeout=TIMEOUT,
                follow_redirects=False,  # a token is for this server alone
                trust_env=by_proxy,
                transport=None if by_proxy else httpx.HTTPTransport(limits=_LIMITS, socket_options=_KEEPALIVE),
            )
            client = self._clients.setdefault(os.getpid(), made)
            if client is not made:  # another thread was faster
                made.close()
        return client

    def _require_success(self, response: httpx.Response) -> None:
        if response.status_code < 300:
            return
        if response.status_code < 400:
            where = response.headers.get("location", "elsewhere")
            raise misunderstood(self.address, f"sends its callers to {where!r:.200}: use that address")
        raise error_of_answer(response, self.address)

    def document(self, response: httpx.Response) -> Answer:
        """The document that an answer is.

        :raises StorageError: if it is none.
        """
        try:
            return Answer(response.json(), self.address)
        except (ValueError, RecursionError) as error:
            raise misunderstood(self.address, "answered with something that is no JSON") from error


def _close(clients: dict[int, httpx.Client]) -> None:
    client = clients.pop(os.getpid(), None)
    if client is not None:
        client.close()


def part(text: object) -> str:
    """A name as one part of a path."""
    return quote(str(text), safe="")


def _said(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (params or {}).items() if value is not None}


def _was_not_done(error: Exception) -> bool:
    """Whether what was asked for was surely not even begun."""
    return isinstance(error, TooManyRequestsError) or isinstance(error.__cause__, _NOT_SENT)


def _is_hopeless(error: Exception) -> bool:
    """Whether another attempt would fail in the same way."""
    hopeless = (ssl.SSLCertVerificationError, httpx.UnsupportedProtocol)
    return is_no_tls(error) or any(isinstance(cause, hopeless) for cause in causes_of(error))
