"""Host names, and lists of those that are allowed: ``"models.example.com"``, or ``"*.example.com"`` for all below."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address


def canonical(host: str) -> str:
    """One spelling of a host: lower case, without brackets or the final dot, and addresses as Python writes them."""
    host = host.lower().removesuffix(".")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def is_listed(host: str, allowed: Iterable[str]) -> bool:
    """Whether a host, or a pattern that covers it, is in a list. Names in other letters than ASCII never are."""
    name = canonical(host)
    return name.isascii() and any(_covers(pattern, name) for pattern in allowed)


def _covers(pattern: str, name: str) -> bool:
    if not pattern.startswith("*."):
        return name == canonical(pattern)
    above = canonical(pattern[2:])
    # An address has dots too, but is below nothing.
    return name.endswith(f".{above}") and not name.startswith(".") and not name.rpartition(".")[2].isdigit()
