"""Versions as users see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, overload

from attrs import field, frozen

from model_registry.records.contents import FileRecord, TensorRecord
from model_registry.records.metadata import ModelMetadata, Parent


@frozen
class ModelEntry:
    """A registered version.

    :param metadata: What is known of it.
    :param digest: SHA-256 of its manifest, 64 hex digits; the identity of the version.
    :param size: Bytes of all its files.
    :param registered_at: When the catalog made it visible, in UTC.
    :param removed_at: When it was removed, if it was and can still be restored.
    :param description: What it is: as edited since, or as registered.
    """

    metadata: ModelMetadata
    digest: str
    size: int
    registered_at: datetime
    removed_at: datetime | None = None
    description: str | None = None
    _inspector: Any = field(default=None, eq=False, repr=False, alias="inspector")

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def version(self) -> str:
        return self.metadata.version

    @property
    def reference(self) -> str:
        """``name:version``, for people."""
        return f"{self.metadata.name}:{self.metadata.version}"

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """The files of the version, as its manifest lists them."""
        files: tuple[FileRecord, ...] = self._inspector.files(self)
        return files

    @property
    def blobs(self) -> Mapping[str, int]:
        """Everything that it is made of, members, documents and records of its origin: sizes in bytes, by SHA-256."""
        blobs: Mapping[str, int] = self._inspector.blobs(self)
        return blobs

    def blob(self, sha256: str) -> Path:
        """A verified local file with the bytes of one of ``blobs``. Read it or map it, never write to it.

        :raises KeyError: if it is none of them.
        :raises IntegrityError: if the bytes on the disk are not those that were registered.
        """
        path: Path = self._inspector.blob(self, sha256)
        return path

    @property
    def provenance(self) -> Mapping[str, str] | None:
        """Who registered it, and where: ``actor``, ``user``, ``host``, ``python``, ``machine``. None if unknown.

        :raises IntegrityError: if the manifest, or the record itself, is damaged.
        """
        facts: Mapping[str, str] | None = self._inspector.provenance(self)
        return facts

    @property
    def environment(self) -> Mapping[str, Any] | None:
        """Where the version was made, None if that was not captured.

        ``python``, ``implementation``, ``platform`` and ``machine``; ``packages``: versions by distribution; ``git``:
        ``commit`` and whether it was ``clean`` (None if git could not say), or None; ``command``: its words, secrets
        masked. It is what the registering process said, and no part of the digest.

        :raises IntegrityError: if the manifest, or a record that leads there, is damaged.
        """
        environment: Mapping[str, Any] | None = self._inspector.environment(self)
        return environment

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aliases that name this version now, without the ``@``."""
        aliases: tuple[str, ...] = self._inspector.aliases(self)
        return aliases

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of this version now. The words it was registered with are ``metadata.tags``."""
        tags: Mapping[str, str] = self._inspector.tags(self)
        return tags

    @property
    def parents(self) -> tuple[Parent, ...]:
        """What this version comes from: as registered, and as linked since."""
        parents: tuple[Parent, ...] = self._inspector.parents(self)
        return parents

    @property
    def tensors(self) -> tuple[TensorRecord, ...]:
        """Its tensors, read from the files without loading the model. Empty where no plugin can tell.

        :raises IntegrityError: if the bytes on the disk are not those that were registered.
        """
        tensors: tuple[TensorRecord, ...] = self._inspector.tensors(self)
        return tensors

    @property
    def modules(self) -> Mapping[str, str]:
        """The parts that the model is made of, by path in the module tree, a line each; "" is the model itself.

        Read like ``tensors``, and empty where no plugin can tell.
        """
        modules: Mapping[str, str] = self._inspector.modules(self)
        return modules

    def verify(self) -> None:
        """Raise IntegrityError, naming the file, unless every file is as it was registered.

        What was verified before and has not changed since is not read again; ``verify_integrity`` reads everything.
        """
        self._inspector.verify(self)

    def verify_integrity(self) -> bool:
        """Hash every file of this version again; True if all bytes match the manifest."""
        return self.calculate_checksum() == self.digest

    def calculate_checksum(self) -> str:
        """The digest that this version has by the bytes on disk now: equal to ``digest`` unless something changed.

        Every file is read in full. Nothing is repaired or accepted by this; it only looks.
        """
        checksum: str = self._inspector.checksum(self)
        return checksum


@frozen
class SearchPage(Sequence[ModelEntry]):
    """A page of what a search found: a sequence of entries, with the way to the next page.

    :param entries: The versions, in the order that was asked for.
    :param cursor: What ``after=`` takes for the next page of the same query; None on the last page.
    """

    entries: tuple[ModelEntry, ...]
    cursor: str | None = None

    @overload
    def __getitem__(self, index: int) -> ModelEntry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ModelEntry, ...]: ...
    def __getitem__(self, index: int | slice) -> ModelEntry | tuple[ModelEntry, ...]:
        return self.entries[index]

    def __len__(self) -> int:
        return len(self.entries)


@frozen
class LoadedModel:
    """A model ready to use. Unpacks as ``model, tokenizer``.

    :param model: What the format's plugin gives: an ``nn.Module``, a session, …
    :param tokenizer: The tokenizer or processor that belongs to it, or None.
    :param entry: The version it came from.
    """

    model: Any
    tokenizer: Any = None
    entry: ModelEntry | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.model, self.tokenizer))
