"""Where a server is: the address that a user gives, and what is wrong with one."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from model_registry import ConfigurationError
from model_registry_server.api_path import API
from model_registry_server.token_variable import TOKEN_VARIABLE


def checked_address(text: str) -> str:
    """The address, written in one way, without a slash at its end.

    :raises ConfigurationError: for one that names no server, or holds a password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _wrong(text, str(error)) from error
    if not parts.hostname:
        raise _wrong(text, "it names no host")
    if parts.username is not None or parts.password is not None:
        hidden = parts.hostname
        raise _wrong(f"{parts.scheme}://…@{hidden}", f"a token does not belong into it: set {TOKEN_VARIABLE}")
    if parts.query or parts.fragment:
        raise _wrong(text, "nothing may follow «?» or «#»")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix(API)
    return urlunsplit((parts.scheme, host if port is None else f"{host}:{port}", path, "", ""))


def is_loopback(address: str) -> bool:
    """Whether what is sent to an address never leaves this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(text: str, why: str) -> ConfigurationError:
    hint = "give one such as http://models.example.com:8000"
    return ConfigurationError(f"path = {text!r:.200}: {why}", hint=hint, mistakes=())
