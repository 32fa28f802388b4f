"""Who is at work: what the catalog's history and the provenance of versions name."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from model_registry.errors import InvalidNameError
from model_registry.names import shown

MAX_ACTOR_LENGTH = 200

_acting: ContextVar[str | None] = ContextVar("model_registry_actor", default=None)


def current() -> str:
    """Whoever :func:`acting_as` names, else ``user@host`` of this process."""
    return _acting.get() or _of_this_process(os.getuid() if hasattr(os, "getuid") else 0)


@contextmanager
def acting_as(actor: str) -> Iterator[None]:
    """Within the block (of this thread or task), changes are recorded as this actor's.

    :raises InvalidNameError: for what is no printable text of 1 to 200 characters.
    """
    if not is_actor(actor):
        hint = f"use 1 to {MAX_ACTOR_LENGTH} printable characters"
        raise InvalidNameError(f"the actor {shown(actor)} cannot be recorded", hint=hint, value=actor)
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def is_actor(actor: object) -> bool:
    """Whether an actor may be called so."""
    return isinstance(actor, str) and 0 < len(actor) <= MAX_ACTOR_LENGTH and actor.isprintable()


def user() -> str:
    """The user's name; empty for a user id without a name, as in many containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


@lru_cache(maxsize=4)
def _of_this_process(uid: int) -> str:
    return f"{user() or uid}@{socket.gethostname()}"
