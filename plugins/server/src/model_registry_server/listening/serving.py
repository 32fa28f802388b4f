"""Listening: from a registry to a server that answers, until it is told to stop."""

from __future__ import annotations

import logging
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import uvicorn

from model_registry import ModelRegistry, StorageError
from model_registry_server.app import Application, create_app
from model_registry_server.listening.ending import end_process_in
from model_registry_server.listening.protocol import patient
from model_registry_server.options import ServerOptions
from model_registry_server.server import Server

logger = logging.getLogger("model_registry.server")

#: Connections that wait to be accepted.
_BACKLOG = 2048
#: Seconds that requests under way may go on when the server is stopped.
_GRACE = 10
#: Seconds for the server's own parts after that, and for everything after a second Ctrl-C.
_STOPPING, _FORCED = 5, 1


def serve(
    registry: ModelRegistry,
    options: ServerOptions,
    keywords: Mapping[str, Any],
    listening: socket.socket,
    *,
    say: Callable[[str], object],
) -> None:
    """Answer until a signal comes; Ctrl-C is the usual one, and no failure.

    :param keywords: With which a worker opens the same registry.
    :param listening: What :func:`listen` gave. Who connects before this waits.
    :param say: Told the address, as soon as the server answers.
    """
    server = make_server(registry, options, keywords)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    with suppress(KeyboardInterrupt):  # which uvicorn raises anew when all has ended
        say(f"serving {registry.settings.path} at http://{shown}:{port}")
        if not is_loopback(options.host) and not options.hosts:
            say("it is called by what it listens at alone: its other names belong into hosts of [plugins.server]")
        if not server.is_open and not server.tokens.any():
            say("nobody has a token yet: «model-registry token create NAME --role admin» makes one")
        _Uvicorn(_config(server, options)).run(sockets=[listening])


def make_server(registry: ModelRegistry, options: ServerOptions, keywords: Mapping[str, Any]) -> Server:
    """The parts of a server, before it answers."""
    return Server(registry, options, keywords, is_open=is_open(options))


def is_open(options: ServerOptions) -> bool:
    """Whether nobody but this machine can reach the server, so that no token is needed before there is one.

    With names of its own, somebody else passes requests on to it.
    """
    return options.auth == "auto" and is_loopback(options.host) and not options.hosts


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def listen(options: ServerOptions) -> socket.socket:
    """A socket that listens.

    :raises StorageError: if it cannot.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        where = f"{options.host}:{options.port}"
        hint = "choose another with --host and --port"
        raise StorageError(f"cannot listen at {where}: {error.strerror or error}", hint=hint, path=where) from error
    return listening


def _config(server: Server, options: ServerOptions) -> uvicorn.Config:
    _allow_connections(options.max_connections)
    return uvicorn.Config(
        create_app(server),
        http=patient(options.pace),
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=options.max_connections + 1,  # the first that is too many
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE,
    )


class _Uvicorn(uvicorn.Server):
    """Tells followers that it ends, so that nobody waits for them; and ends soon, whatever its threads are doing."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        is_forced = self.should_exit and sig == signal.SIGINT
        end_process_in(_FORCED if is_forced else _GRACE + _STOPPING, 128 + sig)
        super().handle_exit(sig, frame)
        if isinstance(self.config.app, Application):
            self.config.app.server.end_soon()


def _allow_connections(count: int) -> None:
    """As many files may be open as connections, and then some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 1024
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))
