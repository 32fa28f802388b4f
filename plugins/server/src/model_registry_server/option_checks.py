"""What the lists in ``[plugins.server]`` may hold. A text that can match nothing is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from model_registry_server.security.host_names import canonical

#: A name, or a pattern of those below one. Without letters at its end, it would have to be an address.
_NAME = re.compile(r"(?:\*\.)?(?:[A-Za-z0-9_-]+\.)*(?![0-9]+\.?$)[A-Za-z0-9_-]+\.?")


def are_hosts(options: Any, attribute: Any, values: Iterable[str]) -> None:
    """A validator of ``attrs``.

    :raises ValueError: telling all values that are no host.
    """
    takes = "names such as 'models.example.com' or '*.example.com' and addresses, without scheme, port or path"
    _require(_is_host, attribute.name, takes, values)


def are_networks(options: Any, attribute: Any, values: Iterable[str]) -> None:
    """A validator of ``attrs``.

    :raises ValueError: telling all values that are no address or network.
    """
    takes = "addresses such as '10.0.0.7', or networks such as '10.0.0.0/24'"
    _require(_is_network, attribute.name, takes, values)


def _require(is_one: Callable[[str], bool], option: str, takes: str, values: Iterable[str]) -> None:
    wrong = [repr(value) for value in values if not is_one(value)]
    if wrong:
        raise ValueError(f"'{option}' takes {takes}; not {', '.join(wrong)}")


def _is_host(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) or _is_address(canonical(text))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # a zone is this machine's own, and no part of an address that somebody calls


def _is_network(text: str) -> bool:
    try:
        ip_network(text)  # an address is one by itself
    except ValueError:
        return False
    return "%" not in text
