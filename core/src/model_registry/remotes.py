"""Registries that are not a folder: which class opens an address, as plugins offer them by scheme.

An entry point in the group ``model_registry.remotes``, whose name is a scheme such as ``https``, names a subclass of
``ModelRegistry`` that takes the same arguments. What such a class needs of the core beside its public names is here: to
find the address, to check names before they are sent, and to tell how far work has come as the core does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from model_registry.bars import Bar, can_show
from model_registry.config import found_path, said_path
from model_registry.errors import ConfigurationError, PluginLoadError
from model_registry.names import check_alias, check_line, check_model_name, check_tag
from model_registry.progress import Progress, advance, item_done
from model_registry.versions import check_version

__all__ = [
    "GROUP",
    "Bar",
    "Progress",
    "address",
    "advance",
    "can_show",
    "check_alias",
    "check_line",
    "check_model_name",
    "check_tag",
    "check_version",
    "class_for",
    "found_in",
    "item_done",
]

GROUP = "model_registry.remotes"
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://.*", re.DOTALL)  # two letters at least: C:\ is none
_ONE_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]+):[0-9]{1,5}(/.*)?", re.DOTALL)

Base = TypeVar("Base")


def address(keywords: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> str | None:
    """The address that the configuration says instead of a folder; None for a folder.

    :raises ConfigurationError: for a host and a port without a scheme, or a scheme with one slash, of which nobody
        wants a folder to be made.
    """
    path = said_path(keywords, environ)
    if not isinstance(path, str):
        return None
    if _HOST_AND_PORT.fullmatch(path) and not Path(path).exists():
        hint = f"write http://{path} for a server, or ./{path} for a folder"
        raise ConfigurationError(f"path = {path!r:.200} is an address without its scheme", hint=hint, mistakes=())
    if (scheme := _ONE_SLASH.match(path)) and not Path(path).exists():
        hint = f"write {scheme[1]}://{path[scheme.end() :]} for a server, or ./{path} for a folder"
        raise ConfigurationError(f"path = {path!r:.200} is an address that lacks a slash", hint=hint, mistakes=())
    return path if _ADDRESS.fullmatch(path) else None


def found_in(keywords: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> str | None:
    """The place, such as ``registry.toml:2``, of an address that the user did not choose: it is said by the current
    folder's file, which may have come from somebody else, and nobody named that file. What is secret is not sent there.
    """
    return found_path(keywords, environ)


def class_for(address: str, base: type[Base]) -> type[Base]:
    """The class that opens an address.

    :raises ConfigurationError: if none does.
    :raises PluginLoadError: if it cannot be imported, or is no registry.
    """
    from importlib_metadata import entry_points

    scheme = address.partition(":")[0].lower()
    found = sorted(entry_points(group=GROUP, name=scheme), key=lambda point: point.value)
    if not found:
        known = " and ".join(f"{name}://" for name in sorted(entry_points(group=GROUP).names))
        possible = f"begin it with {known}" if known else "install model-registry-server for http and https"
        hint = f"{possible}, or give a folder"
        raise ConfigurationError(f"path = {address!r:.200}: nothing installed opens {scheme!r}", hint=hint, mistakes=())
    if len({point.value for point in found}) > 1:
        names = " and ".join(point.value for point in found)
        raise PluginLoadError(f"{scheme!r} is claimed by {names}", hint="uninstall one of them", plugin=scheme)
    try:
        cls = found[0].load()
    except Exception as error:
        message = f"{found[0].value}, which opens {scheme!r}, cannot be imported: {error}"
        raise PluginLoadError(message, plugin=scheme) from error
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise PluginLoadError(f"{found[0].value}, which opens {scheme!r}, is no {base.__name__}", plugin=scheme)
    return cls
