"""Which hosts this server may call, and at which addresses: it must not become a way into the network it stands in."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from model_registry import StorageError
from model_registry_server.security.addresses import is_public
from model_registry_server.security.host_names import is_listed

#: Answers as ``socket.getaddrinfo`` does.
Resolver = Callable[..., Sequence[tuple[Any, ...]]]


@frozen
class Reach:
    """What may be called.

    :param hosts: Names, and patterns such as ``*.example.com``.
    :param option: The option of ``[plugins.server]`` that holds them, for errors.
    :param allow_private: Also addresses that are not public.
    :param resolver: Finds the addresses of a name.
    """

    hosts: tuple[str, ...]
    option: str = "hub_hosts"
    allow_private: bool = False
    resolver: Resolver = socket.getaddrinfo

    def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect to, in the resolver's order. The name is resolved once."""
        answers = self.answers(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

    def answers(self, host: str, port: Any, **criteria: Any) -> Sequence[tuple[Any, ...]]:
        """The same, as ``socket.getaddrinfo`` answers.

        :raises StorageError: if the host may not be called, has no address, or has one that is not public: even one
            is enough, because nobody knows which of them a client would take.
        """
        if not is_listed(host, self.hosts):
            hint = f"if it should be, add it to {self.option} of [plugins.server] in registry.toml"
            raise StorageError(f"the host {host!r} may not be called", hint=hint, host=host)
        answers = self._ask(host, port, criteria)
        for answer in answers:
            address = str(answer[4][0])
            if not (self.allow_private or is_public(address)):
                private = self.option.replace("_hosts", "_private")
                hint = f"only public addresses are called, unless {private} of [plugins.server] permits others"
                raise StorageError(f"the host {host!r} has the address {address}", hint=hint, host=host)
        return answers

    def _ask(self, host: str, port: Any, criteria: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
        try:
            answers = self.resolver(host, port, **criteria)
        except (OSError, UnicodeError) as error:
            hint = "check the name and the network"
            raise StorageError(f"the host {host!r} has no address: {error}", hint=hint, host=host) from error
        if not answers:
            raise StorageError(f"the host {host!r} has no address", hint="check the name and the network", host=host)
        return answers
