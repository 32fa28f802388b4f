"""Transports of httpx that connect to the very addresses that were checked.

Checking a name first and letting the client resolve it again would leave a gap: the second answer may be another one.
Here a name is resolved when a connection is made, once, and that answer is checked and used. To the other side
everything looks as usual: the ``Host`` header and the name in TLS stay the host's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from model_registry_server.security.reach import Reach

#: Addresses that are tried for one connection.
_MOST_TRIED = 4
_LIMITS: dict[str, Any] = {"max_connections": 100, "max_keepalive_connections": 20, "keepalive_expiry": 5.0}
_FAILED = (httpcore.ConnectError, httpcore.ConnectTimeout)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self._reach.addresses(host, port)[:_MOST_TRIED]
        for address in others:
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except _FAILED:
                continue
        return self._plain.connect_tcp(last, port, timeout, local_address, socket_options)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = (await self._addresses(host, port, timeout))[:_MOST_TRIED]
        for address in others:
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except _FAILED:
                continue
        return await self._plain.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Resolve in a thread, because the system's resolver waits."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._reach.addresses, host, port), timeout)
        except asyncio.TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error


class PinnedTransport(httpx.HTTPTransport):
    """Connects only to what may be reached.

    :raises StorageError: from each request to a host that may not.
    """

    def __init__(self, reach: Reach, verify: ssl.SSLContext | bool = True) -> None:
        context = _context(verify)
        super().__init__(verify=context)
        _check(self._pool, httpcore.ConnectionPool)
        self._pool = httpcore.ConnectionPool(context, network_backend=_Backend(reach), **_LIMITS)


class PinnedAsyncTransport(httpx.AsyncHTTPTransport):
    """The same for ``httpx.AsyncClient``."""

    def __init__(self, reach: Reach, verify: ssl.SSLContext | bool = True) -> None:
        context = _context(verify)
        super().__init__(verify=context)
        _check(self._pool, httpcore.AsyncConnectionPool)
        self._pool = httpcore.AsyncConnectionPool(context, network_backend=_AsyncBackend(reach), **_LIMITS)


def _check(pool: object, kind: type) -> None:
    """httpx has no parameter for the backend of its pool. A later one that keeps it elsewhere must not go unnoticed."""
    if type(pool) is not kind:
        raise TypeError(f"this httpx keeps its connections in a {type(pool).__name__}: the pool cannot be replaced")


def _context(verify: ssl.SSLContext | bool) -> ssl.SSLContext:
    return verify if isinstance(verify, ssl.SSLContext) else httpx.create_ssl_context(verify=verify)
