"""Keeps a whole process to the hosts that it may call, for libraries that make their connections themselves."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from model_registry import StorageError
from model_registry_server.security.reach import Reach

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
#: Ways to resolve names that nobody needs who has ``getaddrinfo``.
_RESOLVING = frozenset({"socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})


def guard_process(allowed_hosts: Sequence[str], allow_private: bool = False, *, option: str = "hub_hosts") -> None:
    """From now on, and for good, let this process call only these hosts, at public addresses.

    Names of others are not resolved, and sockets connect and send only to addresses that were answered for a name of
    the list. Unix sockets work as before. What does not go through Python's sockets is not seen, so call this before
    other libraries are imported. A second call can only forbid more.

    :param allowed_hosts: Names, and patterns such as ``*.example.com``.
    :param allow_private: Also addresses that are not public.
    :param option: The option of ``[plugins.server]`` that holds the hosts, for errors.

    Refused calls raise ``StorageError``.
    """
    guard = _Guard(Reach(tuple(allowed_hosts), option, allow_private, socket.getaddrinfo))
    socket.getaddrinfo = guard.getaddrinfo
    # An audit hook sees connections of every kind of socket, also those of C code that uses Python's, and stays.
    sys.addaudithook(guard.watch)
    # huggingface_hub's accelerated downloads connect in Rust; without them it downloads over Python's sockets.
    os.environ["HF_HUB_DISABLE_XET"] = "1"


class _Guard:
    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._answered: set[str] = set()
        self._adding = threading.Lock()

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """As that of ``socket``, but for hosts that may not be called."""
        name = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host)
        if _plain(name) in self._answered:  # an address of a name that was resolved before
            return list(self._reach.resolver(host, port, family, type, proto, flags))
        answers = list(self._reach.answers(name, port, family=family, type=type, proto=proto, flags=flags))
        with self._adding:
            self._answered.update(filter(None, (_plain(answer[4][0]) for answer in answers)))
        return answers

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Called by the interpreter before it does anything that can be audited."""
        if event in _RESOLVING:
            hint = (
                f"only hosts in {self._reach.option} of [plugins.server] in registry.toml are resolved, by getaddrinfo"
            )
            raise StorageError(f"{event} was refused for {arguments[0]!r:.200}", hint=hint, host=str(arguments[0]))
        if event not in _EVENTS:
            return
        used, address = arguments[0], arguments[1]
        if address is None or used.family == getattr(socket, "AF_UNIX", None):
            return
        host = address[0] if isinstance(address, tuple) and address else address
        if not (isinstance(host, str) and _plain(host) in self._answered):
            hint = f"only hosts in {self._reach.option} of [plugins.server] in registry.toml may be called, by name"
            raise StorageError(f"a connection to {host!r} was refused", hint=hint, host=str(host))


def _plain(address: str) -> str:
    """One spelling of an address; empty for what is none."""
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return ""
