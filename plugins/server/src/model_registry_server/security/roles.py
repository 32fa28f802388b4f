"""What a caller may do: a role, and the models that it holds for."""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase

from attrs import frozen

from model_registry_server.security.limits import address_key


class Role(str, Enum):
    """How much a caller may do. Each role includes those before it, so ``Role.READER < Role.WRITER < Role.ADMIN``.

    Texts compare by their letters, so all four comparisons are spelt out: one that is left to ``str`` would say that
    an admin is less than a reader.
    """

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"

    def __str__(self) -> str:
        return self.value

    def __lt__(self, other: str) -> bool:
        return _RANKS[self] < _RANKS[Role(other)]

    def __le__(self, other: str) -> bool:
        return _RANKS[self] <= _RANKS[Role(other)]

    def __gt__(self, other: str) -> bool:
        return _RANKS[self] > _RANKS[Role(other)]

    def __ge__(self, other: str) -> bool:
        return _RANKS[self] >= _RANKS[Role(other)]


_RANKS = {role: rank for rank, role in enumerate(Role)}

#: The pattern that every model's name matches.
EVERY_MODEL = "*"


@frozen
class Caller:
    """Whoever sent a request.

    :param name: The token's name; the audit log names its bearer so.
    :param role: The highest role that the caller has.
    :param patterns: The models that the role holds for, as in a shell: ``*`` stands for any characters, also ``/``.
    :param token_id: The token's id; None for a caller without one.
    :param address: Where the request came from.
    """

    name: str
    role: Role
    patterns: tuple[str, ...]
    token_id: str | None
    address: str

    @property
    def owner(self) -> str:
        """Whose uploads, jobs and streams are those of the caller, whomever it says to act for."""
        return self.token_id or self.name

    @property
    def taker(self) -> str:
        """Whose downloads, and other answers, the caller takes. Without tokens, everybody has the same name."""
        return self.token_id or address_key(self.address)

    @property
    def sees_all(self) -> bool:
        """Whether the role holds for every model there is and will be."""
        return EVERY_MODEL in self.patterns

    def may(self, role: Role, model: str | None = None) -> bool:
        """Whether the caller has the role, or a higher one, for a model.

        :param model: A model's name, in any spelling; None asks about the registry as a whole: the role alone counts.
        """
        if self.role < role:
            return False
        return model is None or self.sees_all or self._is_for(model.lower())

    def _is_for(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.patterns)


#: The caller of a server that only this machine can reach, as long as nobody made a token.
LOCAL = Caller(name="local", role=Role.ADMIN, patterns=(EVERY_MODEL,), token_id=None, address="127.0.0.1")
