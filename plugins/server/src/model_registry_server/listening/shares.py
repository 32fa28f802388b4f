"""How many connections each address has, so that some are left for others."""

from __future__ import annotations

import logging
from collections import Counter
from functools import lru_cache
from ipaddress import ip_address, ip_network

from model_registry_server.security.limits import address_key

logger = logging.getLogger("model_registry.server")


class Shares:
    """Connections by address. Used by one event loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._told: set[str] = set()

    def take(self, address: str, most: int) -> bool:
        """Count one more connection of an address, if it has less than so many."""
        key = address_key(address)
        if self._open[key] >= most:
            if key not in self._told:  # once, until it has none
                self._told.add(key)
                hint = "a proxy belongs into proxies of [plugins.server]"
                logger.warning("%s has %d connections, and gets no more; %s", address, most, hint)
            return False
        self._open[key] += 1
        return True

    def give_back(self, address: str) -> None:
        """One of its connections was closed."""
        key = address_key(address)
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]
            self._told.discard(key)


@lru_cache(maxsize=1024)
def is_among(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is one of some, or in a network of some."""
    try:
        found = ip_address(address_key(address) if "." in address else address)  # also as ::ffff:10.0.0.7
    except ValueError:
        return False
    return any(found in ip_network(network) for network in networks)
