"""The catalog: the SQL database that says which versions exist, and the only thing that makes one visible.

Chosen by URL. ``Catalog`` is what a database has to offer; :mod:`model_registry.catalog.sqlite` is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from attrs import field, frozen

from model_registry.catalog.facts import Aliases, Descriptions, History, Lineage, Tags, Upkeep, VersionKey
from model_registry.errors import ConfigurationError
from model_registry.records import Parent

if TYPE_CHECKING:
    from model_registry.search import Query

#: Where a row stands among those that a search finds.
Place: TypeAlias = tuple["str | int | float | None", ...]
Found: TypeAlias = tuple["VersionRow", Place]

#: Seconds after which a lease that nobody renewed counts as dead, whatever became of its owner.
LEASE_SECONDS = 3600.0


@frozen
class VersionRow:
    """One version as the catalog keeps it.

    :param name: The model's name as first registered.
    :param digest: SHA-256 of the manifest.
    :param size: Bytes of the version's files.
    :param metadata: The metadata document, JSON. Empty in a row whose document is damaged.
    :param registered_at: Microseconds since 1970 in UTC; likewise ``removed_at``, None while the version is visible.
    :param description: As edited since registering, None if it was not.
    :param blobs: (sha256, size, path) of every blob that the version needs; the path is empty for what is no member.
        Like what follows, for ``commit``: empty in rows that were read, but for ``remove``.
    :param metrics: What was measured, by name.
    :param labels: The words that it is tagged with.
    :param parents: What it comes from, by its manifest.
    """

    name: str
    version: str
    digest: str
    format: str
    model_type: str
    size: int
    metadata: str
    registered_at: int
    removed_at: int | None = None
    description: str | None = None
    blobs: tuple[tuple[str, int, str], ...] = ()
    metrics: Mapping[str, float] = field(factory=dict)
    labels: tuple[str, ...] = ()
    parents: tuple[Parent, ...] = ()


@frozen
class CatalogStats:
    """Counts and bytes of the whole catalog. ``logical`` counts a shared blob once per version, ``stored`` once."""

    models: int
    versions: int
    removed_versions: int
    logical_bytes: int
    stored_bytes: int
    removed_bytes: int
    by_format: dict[str, int]
    by_type: dict[str, int]


class Catalog(Protocol):
    """What the core asks of a database. Every method is one transaction; names are matched without regard to case.

    Whatever changes something also records an event, in the same transaction.
    """

    @property
    def aliases(self) -> Aliases: ...

    @property
    def tags(self) -> Tags: ...

    @property
    def descriptions(self) -> Descriptions: ...

    @property
    def lineage(self) -> Lineage: ...

    @property
    def history(self) -> History: ...

    @property
    def upkeep(self) -> Upkeep: ...

    # Registering

    def begin(self, owner: str) -> str:
        """Open a lease for a registration of this owner; returns its id."""

    def renew(self, lease: str) -> None:
        """Say that the registration is alive.

        :raises RegistrationLostError: if the lease is gone.
        """

    def reserve_next_version(self, lease: str, name: str) -> str:
        """The next number of a model, above all that it ever had; nobody else gets it while the lease lasts."""

    def claim(self, lease: str, digests: Iterable[str]) -> None:
        """Protect blobs from collection while the lease lasts.

        :raises RegistrationLostError: if the lease is gone.
        """

    def commit(self, lease: str, row: VersionRow) -> None:
        """Make the version visible, durably, and end the lease.

        :raises RegistrationLostError: if the lease is gone; its blobs may have been collected.
        :raises VersionExistsError: if the model has a version that is equal by PEP 440.
        :raises InvalidNameError: if the model exists under a name that differs by case.
        """

    def release(self, lease: str, digests: Sequence[str] = (), delete: Callable[[str], int] = lambda sha256: 0) -> None:
        """End a lease without committing, and collect those of the blobs that nobody else needs."""

    # Looking

    def get(self, name: str, version: str) -> VersionRow | None:
        """The visible version of this name; "1.0" finds "1.0.0"."""

    def latest(self, name: str) -> VersionRow | None:
        """The highest visible version by PEP 440; a pre-release only if there is nothing else."""

    def blobs_of(self, version: VersionKey) -> tuple[tuple[str, int], ...]:
        """(sha256, size) of every blob that the version needs, also while it is removed; none if it was forgotten."""

    def blobs_of_size(self, size: int) -> list[str]:
        """Digests of blobs with so many bytes; none if that are few, which are not worth comparing."""

    def similar_names(self, name: str, limit: int = 3) -> list[str]:
        """Names of visible models near to this one, for error messages."""

    def versions(
        self,
        *,
        name: str | None = None,
        model_type: str | None = None,
        format: str | None = None,
        min_size: int | None = None,
        after: tuple[str, str] | None = None,
        limit: int | None = None,
        removed: bool = False,
    ) -> list[VersionRow]:
        """Versions in the order of name, then PEP 440.

        :param name: A name, or a pattern with ``*``, ``?`` and ``[…]``.
        :param min_size: Bytes that a version has at least.
        :param after: (name, version) of the last row of the page before.
        :param removed: List the removed ones that can still be restored, instead of the visible ones.
        """

    def search(self, query: Query, *, after: Place | None = None, limit: int | None = None) -> list[Found]:
        """The visible versions that fulfil a query, in its order, then by name and PEP 440.

        :param after: The place of the last row of the page before, of the same query.
        :returns: Each with its place: the values that it is ordered by, its name's key and its version's sort key.
        """

    def stats(self) -> CatalogStats:
        """Counts and bytes."""

    # Removing

    def remove(self, name: str, version: str | None, *, keep: bool) -> list[VersionRow]:
        """Hide one version, or all of a model; ``keep`` leaves them restorable.

        :returns: What was removed; what is not kept, with its blobs.
        """

    def remove_all(self, versions: Iterable[tuple[str, str, str]], *, keep: bool) -> list[VersionRow]:
        """Like ``remove``, for each (name, version, digest) that is still visible; all or none.

        :returns: What was removed, in order.
        """

    def restore(self, name: str, version: str | None) -> list[VersionRow]:
        """Show removed versions again, the one named or all of the model: of each, what was removed last.

        :raises VersionExistsError: if the version was registered anew in the meantime.
        """

    def purge(self, before: int) -> int:
        """Forget versions removed before this time (microseconds) for good; returns how many."""

    # Collecting

    def reap_leases(
        self, is_dead: Callable[[str], bool], is_alive: Callable[[str], bool] = lambda owner: False
    ) -> set[str]:
        """End the leases whose owner is dead, or that ran out unless the owner is known to live; returns the others."""

    def collect(self, digests: Sequence[str], delete: Callable[[str], int]) -> tuple[int, int]:
        """Call ``delete`` for those of the blobs that no version needs and no lease claims, while neither can change.

        :returns: How many were deleted, and their bytes.
        """

    def collect_cold(
        self, lease: str, digests: Sequence[str], cold: Sequence[VersionKey], delete: Callable[[str], int]
    ) -> tuple[int, int]:
        """The same for those of the blobs that only these versions need, and that no other lease claims.

        For blobs whose bytes are kept in another way: a version that needs them only now and then can wait.
        """

    def listen(self, listener: Callable[[Sequence[Mapping[str, Any]]], None]) -> None:
        """Have ``listener`` called after each transaction that changed something, before the change is acknowledged.

        It gets the events, oldest first: the keys of :class:`model_registry.catalog.facts.EventRow`, and ``digest``,
        that of the version (None if the event is about the model, or a registration).
        """

    def backup(self, target: Path) -> None:
        """Write a consistent copy into a new file, while others read and write. It is not synced.

        :raises StorageError: if the catalog is damaged, or the disk refuses.
        """

    def references(self) -> Iterator[tuple[str, int]]:
        """(sha256, size) of every blob that some version needs, removed ones included."""


def open_catalog(url: str, folder: Path, *, create: bool) -> Catalog:
    """The catalog of a URL such as ``sqlite:catalog.sqlite``, relative to the registry's folder.

    :raises ConfigurationError: for a scheme that nothing serves.
    :raises RegistryNotFoundError: if there is none and ``create`` is False.
    """
    from model_registry.catalog.sqlite import SqliteCatalog

    return SqliteCatalog(catalog_file(url, folder), create=create)


def catalog_file(url: str, folder: Path) -> Path:
    """The file of a catalog that is one.

    :raises ConfigurationError: for a scheme that nothing serves.
    """
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite":
        hint = "use sqlite:<file>"
        raise ConfigurationError(f"catalog = {url!r}: no catalog serves {scheme!r}", hint=hint, url=url)
    return folder / rest
