"""A server, with everything that is needed to work with it from here."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from model_registry import ConfigurationError, ModelEntry
from model_registry_server.client.address import checked_address, is_loopback
from model_registry_server.client.cache import Cache
from model_registry_server.client.entries import Remote
from model_registry_server.client.exporting import Exports
from model_registry_server.client.http import Http, part
from model_registry_server.client.progress import Told
from model_registry_server.client.pull import Pull
from model_registry_server.client.push import Push
from model_registry_server.client.records import Document, entry_of
from model_registry_server.client.references import LATEST
from model_registry_server.client.waiting import Jobs
from model_registry_server.token_variable import TOKEN_VARIABLE

_warned: set[str] = set()


class Connection:
    """A server at an address.

    :param address: As a user gives it.
    :param token: None for that of the environment.
    :param config: Settings by keyword, for the cache.
    :param found: The place in a file that says the address, if the user named neither.
    :raises ConfigurationError: for what is no address or no token, and for a token where an address was found.
    """

    def __init__(self, address: str, token: str | None, config: Mapping[str, Any], found: str | None = None) -> None:
        self.address = checked_address(address)
        self._given = address, token, dict(config), found
        secret = _checked_token(token or os.environ.get(TOKEN_VARIABLE, ""))
        if secret is not None:
            _require_chosen(self.address, found)
            _warn_of_plain_text(self.address)
        self.cache = Cache(self.address, config)
        self.http = Http(self.address, secret)
        self.told = Told(self.cache.registry)
        self.pull = Pull(self.http, self.cache, self.told)
        self.push = Push(self.http, self.cache, self.told)
        self.jobs = Jobs(self.http, self.told)
        self.exports = Exports(self.http, self.jobs, self.told)

    def __reduce__(self) -> tuple[object, ...]:
        """Another process opens it for itself, with the token that was given, or that of its own environment."""
        return Connection, self._given

    def entry(self, document: Document) -> ModelEntry:
        """An entry, from a *version*; of the details of one, nothing has to be asked for again."""
        return entry_of(document, Remote(self, document if "files" in document else None))

    def entries(self, documents: Sequence[Document]) -> list[ModelEntry]:
        """Several."""
        inspector = Remote(self)
        return [entry_of(document, inspector) for document in documents]

    def resolve(self, name: str, version: str = LATEST) -> ModelEntry:
        """The entry of a version, which must exist."""
        return self.entry(self.http.get(f"/models/{part(name)}", version=version))

    def is_home_of(self, entry: ModelEntry) -> bool:
        """Whether an entry is one of this server's."""
        inspector = entry._inspector
        return isinstance(inspector, Remote) and inspector.server.address == self.address

    def pulled(self, entry: ModelEntry) -> ModelEntry:
        """A version of this server as the cache has it, which gets it now if it does not have it."""
        return self.pull.to_cache(entry)

    def working(self, what: str) -> AbstractContextManager[None]:
        """One operation, of which nothing is known but that it goes on."""
        return self.told.operation(what)


def local(entry: ModelEntry) -> ModelEntry:
    """An entry whose bytes are here: as it is, or pulled from the server that it is of."""
    inspector = entry._inspector
    return inspector.server.pulled(entry) if isinstance(inspector, Remote) else entry


def _checked_token(text: str) -> str | None:
    """The token, without what a file or a shell leaves around it; None if there is none.

    :raises ConfigurationError: for what cannot be sent. It is not shown, since most of it may be right.
    """
    token = text.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        made = "«model-registry --registry FOLDER token create»"
        hint = f"give what {made} printed on the server's machine, as token= or in {TOKEN_VARIABLE}"
        raise ConfigurationError("the token holds a character that no token has", hint=hint, mistakes=())
    return token or None


def _require_chosen(address: str, found: str | None) -> None:
    """A folder that came from somebody else may hold a file that names a server of theirs."""
    if found is not None:
        message = f"the token is not sent to {address}, which only {found} in the current folder names"
        how = "name the file by --config or MODEL_REGISTRY_CONFIG, or the address by --registry"
        hint = f"if the token is for that server, {how}"
        raise ConfigurationError(message, hint=hint, mistakes=())


def _warn_of_plain_text(address: str) -> None:
    if address.startswith("http:") and not is_loopback(address) and address not in _warned:
        _warned.add(address)
        message = f"the token for {address} can be read by everybody on the way: use https"
        warnings.warn(message, RuntimeWarning, stacklevel=5)
