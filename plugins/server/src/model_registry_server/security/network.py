"""Calls to other machines: only to hosts of a fixed list, and only at public addresses.

Models may be fetched from hubs and webhooks may be sent because a caller asks for it, so neither may reach what only
this machine can: its own services, its network, the metadata of a cloud.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from model_registry_server.security.guard import guard_process as guard_process
from model_registry_server.security.pinned import PinnedAsyncTransport, PinnedTransport
from model_registry_server.security.reach import Reach, Resolver


def resolve(
    host: str,
    port: int,
    allowed: Sequence[str],
    *,
    option: str = "hub_hosts",
    allow_private: bool = False,
    resolver: Resolver = socket.getaddrinfo,
) -> list[str]:
    """The addresses of a host that may be called. It waits for the system's resolver.

    :param allowed: Names, and patterns such as ``*.example.com``.
    :param option: The option of ``[plugins.server]`` that holds them, for errors.
    :param allow_private: Also addresses that are not public.
    :raises StorageError: if the host may not be called, has no address, or has one that is not public.
    """
    return Reach(tuple(allowed), option, allow_private, resolver).addresses(host, port)


def pinned_transport(
    allowed: Sequence[str],
    *,
    option: str = "hub_hosts",
    allow_private: bool = False,
    resolver: Resolver = socket.getaddrinfo,
    verify: ssl.SSLContext | bool = True,
) -> PinnedTransport:
    """For ``httpx.Client(transport=…)``, which then knows no proxy, and follows no redirect unless told to.

    Each connection resolves its host once, checks the answer as :func:`resolve` does, and connects only to that.
    Requests to other hosts raise ``StorageError``, also those that a redirect leads to.
    """
    return PinnedTransport(Reach(tuple(allowed), option, allow_private, resolver), verify)


def pinned_async_transport(
    allowed: Sequence[str],
    *,
    option: str = "webhook_hosts",
    allow_private: bool = False,
    resolver: Resolver = socket.getaddrinfo,
    verify: ssl.SSLContext | bool = True,
) -> PinnedAsyncTransport:
    """The same for ``httpx.AsyncClient(transport=…)``."""
    return PinnedAsyncTransport(Reach(tuple(allowed), option, allow_private, resolver), verify)
