"""On whose behalf requests are sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from urllib.parse import quote

_acting: ContextVar[str | None] = ContextVar("model_registry_server_actor", default=None)

HEADER = "X-Model-Registry-Actor"


@contextmanager
def acting_as(actor: str, here: AbstractContextManager[None]) -> Iterator[None]:
    """Name an actor to the server.

    :param here: Names the same one for what is recorded in this process, and refuses what can be no actor.
    """
    with here:
        token = _acting.set(actor)
        try:
            yield
        finally:
            _acting.reset(token)


def actor_headers() -> dict[str, str]:
    """What tells the server who acts; nothing, if that is whom the token is of."""
    actor = _acting.get()
    return {} if actor is None else {HEADER: quote(actor, safe="")}
