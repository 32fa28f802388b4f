"""The facts of the catalog that change: aliases, tags, descriptions, links between versions, and their history.

What a database has to offer for them, as parts of :class:`model_registry.catalog.Catalog`. A version is said by name
and version, or by ``None`` where the model itself is meant; unless something else is said, it must be visible:
``VersionNotFoundError`` (or ``ModelNotFoundError``) otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from model_registry.records import Parent

if TYPE_CHECKING:
    from model_registry.catalog import VersionRow


class VersionKey(Protocol):
    """What tells a version from every other: a row does, and so does an entry.

    Its name and number alone do not: it may have been removed, and another registered in its place.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def digest(self) -> str: ...


@frozen
class EventRow:
    """One change, as the catalog keeps it: see :class:`model_registry.records.Event`. ``at`` is microseconds in UTC."""

    id: int
    at: int
    actor: str
    action: str
    model: str
    version: str | None = None
    subject: str | None = None
    before: Any = None
    after: Any = None


class Aliases(Protocol):
    """Movable names of versions, matched without regard to case. One may name a removed version, and says so."""

    def get(self, name: str, alias: str) -> VersionRow | None:
        """The version that it names, visible or removed; None if there is no such alias."""

    def of_model(self, name: str) -> dict[str, str]:
        """Version by alias, also of removed versions, sorted by alias."""

    def of_version(self, version: VersionKey) -> tuple[str, ...]:
        """The aliases of a version, visible or removed, sorted."""

    def set(self, name: str, alias: str, version: str) -> VersionRow:
        """Let the alias name a version from now on."""

    def delete(self, name: str, alias: str) -> bool:
        """Forget the alias; False if there is none."""

    def undo(self, name: str, alias: str, *, expected: int | None = None) -> VersionRow | None:
        """Take back the last change of the alias that was not taken back yet, as if it had not been.

        :param expected: The id of the alias's newest event.
        :returns: What it names since then; None if there is no alias since then.
        :raises AliasMovedError: if that is another one.
        :raises VersionNotFoundError: if there is nothing to take back, or what it named is not visible any more.
        """

    def rollback(self, name: str, alias: str) -> VersionRow:
        """Let the alias name the last version before that is another one than now, and visible.

        Called again, it goes on from there. It is a change, which ``undo`` takes back.

        :raises VersionNotFoundError: if there is none.
        """


class Tags(Protocol):
    """Texts by key, of versions and of models."""

    def of_version(self, version: VersionKey) -> dict[str, str]:
        """The tags of a version, visible or removed, sorted by key."""

    def of_model(self, name: str) -> dict[str, str]:
        """The tags of a model itself, sorted by key."""

    def set(self, name: str, version: str | None, key: str, value: str) -> None:
        """Give a tag, or change its value."""

    def delete(self, name: str, version: str | None, key: str) -> bool:
        """Take a tag away; False if there is none."""


class Descriptions(Protocol):
    """Descriptions as edited. What a version was registered with stays in its manifest."""

    def of_model(self, name: str) -> str | None:
        """The description of a model itself."""

    def set(self, name: str, version: str | None, text: str | None) -> None:
        """Edit a description; None goes back to what was registered."""


class Lineage(Protocol):
    """What versions come from. A parent is named, not pointed to: the child knows it when it is gone."""

    def parents(self, version: VersionKey) -> list[Parent]:
        """What a version, visible or removed, comes from: by its manifest, then as linked."""

    def children(self, digest: str) -> list[tuple[str, VersionRow]]:
        """(relation, version) of the versions that come from the one of this manifest, removed ones included."""

    def find(self, digest: str, name: str, version: str) -> VersionRow | None:
        """The version of this name with this manifest, visible or removed."""

    def link(self, name: str, version: str, parent: Parent) -> None:
        """Say what a version comes from. Saying it again changes nothing."""

    def unlink(self, name: str, version: str, parent: Parent) -> bool:
        """Take back what was said with ``link``; False if it was not, or the manifest says it."""


class History(Protocol):
    """Every change, in the order in which they were made."""

    def events(
        self,
        name: str | None = None,
        version: str | None = None,
        *,
        alias: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> Sequence[EventRow]:
        """The newest first.

        :param name: Of this model only, whether it still has versions or not.
        :param version: Of this version only, equal by PEP 440.
        :param alias: Of this alias only.
        :param before: The id of the last event of the page before.
        """


class Upkeep(Protocol):
    """Whether the catalog is sound in itself, and agrees with the documents of its versions; and putting it right."""

    def problems(self) -> list[str]:
        """What the database finds wrong with itself, a line each. Every page is read."""

    def reindex(self) -> list[str]:
        """Make every index anew; the problems that are left."""

    def miscounted(self) -> int:
        """Blobs whose uses are counted wrong, which a collection would take too early or never."""

    def recount(self) -> None:
        """Count the uses of every blob anew."""

    def dangling(self) -> int:
        """Rows that belong to a version, model or blob which is gone."""

    def drop_dangling(self) -> None:
        """Delete them."""

    def versions(self) -> Iterator[tuple[int, VersionRow]]:
        """(id, row) of every version, removed ones included."""

    def differences(self, id: int, told: VersionRow) -> list[tuple[str, str]]:
        """(code, what differs) between the books of a version and what its documents tell."""

    def correct(self, id: int, told: VersionRow) -> None:
        """Make the books of a version say what its documents tell."""

    def leases(self) -> list[tuple[str, str]]:
        """(id, owner) of every lease."""
