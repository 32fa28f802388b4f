"""The records that cross a border: between caller and registry, core and plugin, catalog and core.

All are immutable. Sizes are bytes unless a name says otherwise; ``*_mb`` are megabytes of 1,000,000 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, overload

from attrs import field, frozen

from model_registry.errors import ModelRegistryError, PermissionRequiredError
from model_registry.vocabulary import CompressionType, ModelFormat, ModelType

MEGABYTE = 1_000_000


@frozen
class Parent:
    """What a version comes from.

    :param relation: ``"derived"``, ``"converted"``, ``"compressed"``, ``"adapter"``, ``"dataset"``, or another word.
    :param name: The parent's name: a model, or what has a name elsewhere, such as a dataset.
    :param version: Its version, if it has one.
    :param digest: SHA-256 of its manifest, 64 hex digits, if it is a version of a registry. By it the parent is known
        when it is gone, and found when it is in another registry.
    """

    relation: str
    name: str
    version: str | None = None
    digest: str | None = None

    @property
    def reference(self) -> str:
        """``name:version``, for people."""
        return self.name if self.version is None else f"{self.name}:{self.version}"


@frozen
class ModelMetadata:
    """What is known of one version. Part of the immutable manifest.

    Fields that the caller does not give are filled by the plugins where they can know them. Anything given that is no
    field here stays under ``extra``, of any JSON type, and comes back as it was.
    """

    name: str
    version: str
    format: ModelFormat
    model_type: ModelType = ModelType.CUSTOM
    description: str | None = None
    author: str | None = None
    license: str | None = None
    tags: Sequence[str] = field(factory=list)
    framework: str | None = None
    training_framework: str | None = None
    training_dataset: str | None = None
    training_epochs: int | None = None
    performance_metrics: Mapping[str, float] = field(factory=dict)
    parameters_count: int | None = None
    model_size_mb: float | None = None  # megabytes of 1,000,000 bytes
    input_shape: Sequence[Any] | None = None
    output_shape: Sequence[Any] | None = None
    compression_type: CompressionType | None = None
    compression_ratio: float | None = None  # compressed size / original size
    original_size_mb: float | None = None  # megabytes of 1,000,000 bytes
    dependencies: Sequence[str] = field(factory=list)
    python_version: str | None = None
    repository_url: str | None = None
    paper_url: str | None = None
    parents: Sequence[Parent] = field(factory=list)
    extra: Mapping[str, Any] = field(factory=dict)


@frozen
class FileRecord:
    """One file of a version: its path inside the version, size in bytes, SHA-256 (64 hex digits) and OCI media type."""

    path: str
    size: int
    sha256: str
    media_type: str


@frozen
class TensorRecord:
    """One tensor of a version, as a plugin reads it from the files without making it.

    :param name: Its name in the model, such as ``"encoder.0.weight"``.
    :param dtype: What its elements are: ``"float32"``, ``"bfloat16"``, ``"int64"``, …
    :param shape: Its sizes; empty for a single number.
    :param path: The member that holds its bytes.
    :param offset: Where in the member they begin, in bytes.
    :param nbytes: How many there are.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: str
    offset: int
    nbytes: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


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


@frozen
class Finding:
    """One result of validation.

    :param severity: ``"error"``: the version must not be used; ``"warning"``: it can be, but look; ``"info"``.
    :param code: Stable identifier such as ``"blob-damaged"``.
    :param where: What it is about: ``name:version``, and a file where one is meant.
    :param message: What was found.
    :param advice: What to do.
    """

    severity: str
    code: str
    where: str
    message: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f" — {self.advice}" if self.advice else "")


@frozen
class Event:
    """One change, as the history keeps it.

    :param id: Ascending; later changes have greater ones.
    :param at: When, in UTC.
    :param actor: Who: ``user@host``, or whom ``registry.acting_as`` named.
    :param action: ``registered``, ``removed``, ``restored``, ``forgotten``, ``alias-set``, ``alias-deleted``,
        ``alias-undone``, ``alias-rolled-back``, ``tag-set``, ``tag-deleted``, ``described``, ``linked`` or
        ``unlinked``.
    :param model: The model's name.
    :param version: The version; None where it is about the model.
    :param subject: The alias, the tag's key, or the relation.
    :param before: What was; None if nothing.
    :param after: What is since then; None if nothing.
    """

    id: int
    at: datetime
    actor: str
    action: str
    model: str
    version: str | None = None
    subject: str | None = None
    before: Any = None
    after: Any = None


@frozen
class LineageNode:
    """A version, or what else one comes from, and what is known around it.

    :param parent: What it is, as its children know it. ``relation`` is the edge by which it was reached; empty for the
        version that was asked about.
    :param state: ``"visible"``, ``"removed"`` (it can be restored), or ``"unknown"``: forgotten, of another registry,
        or no version at all.
    :param entry: The version, if it is visible or can be restored.
    :param parents: What it comes from.
    :param children: What comes from it.
    :param repeated: It stands elsewhere in the tree too, and what is around it is told there.
    """

    parent: Parent
    state: str
    entry: ModelEntry | None = None
    parents: tuple[LineageNode, ...] = ()
    children: tuple[LineageNode, ...] = ()
    repeated: bool = False

    @property
    def reference(self) -> str:
        """``name:version``, for people."""
        return self.parent.reference


@frozen
class Conversion:
    """An export that a plugin offers. ``lossless`` means that the weights come back bit by bit."""

    source: str
    target: str
    lossless: bool


@frozen
class FormatSpec:
    """A format that a plugin owns.

    :param id: The format's string id.
    :param title: For people.
    :param save_options: Names of keyword arguments of ``register_model`` that are options of ``save``, not metadata.
    :param load_options: Names of keyword arguments of ``load_model`` that ``load`` understands.
    :param export_options: Names of keyword arguments of ``export_model`` that ``export`` understands.
    :param executes_code: Loading can execute code from the artifact, so the core demands permission first.
    :param suffixes: File suffixes that a user would give an export of this format, with the dot.
    :param storable: Versions can be stored in it; False for formats that are only export targets.
    :param open_options: ``load`` takes any other keyword too, and ``save`` gets what goes to ``extra``.
    """

    id: str
    title: str
    save_options: frozenset[str] = frozenset()
    load_options: frozenset[str] = frozenset()
    export_options: frozenset[str] = frozenset()
    executes_code: bool = False
    suffixes: tuple[str, ...] = ()
    storable: bool = True
    open_options: bool = False


@frozen
class Detection:
    """A plugin's claim that a model or file is of a format it owns.

    :param format: The format.
    :param rank: How specific the claim is; the highest wins, a tie of two formats is an error.
    :param model_type: What the model is for, if that can be seen.
    """

    format: str
    rank: int = 0
    model_type: str | None = None


@frozen
class SaveRequest:
    """What ``save`` is asked to do.

    :param model: The object in memory, or a ``pathlib.Path`` to an existing file or folder.
    :param format: The id of the format to store.
    :param options: The keyword arguments named in the format's ``save_options``.
    :param metadata: What the caller said of the model; read only.
    :param code_allowed: The user permitted that code from the artifact runs. False almost always.
    """

    model: Any
    format: str
    options: Mapping[str, Any]
    metadata: ModelMetadata
    code_allowed: bool = False


@frozen
class LoadRequest:
    """What ``load`` is asked to do.

    :param format: The format of the stored version.
    :param options: The keyword arguments named in the format's ``load_options``.
    :param metadata: The version's metadata.
    :param code_allowed: The user permitted that code from the artifact runs. False almost always.
    """

    format: str
    options: Mapping[str, Any]
    metadata: ModelMetadata
    code_allowed: bool = False
    _refuse: Callable[[str], Exception] | None = field(default=None, eq=False, repr=False, alias="refuse")

    def require_code_permission(self, action: str) -> None:
        """Raise PermissionRequiredError unless the user allowed that ``action`` runs code from the artifact."""
        if not self.code_allowed:
            raise (
                PermissionRequiredError(f"{action} can execute code") if self._refuse is None else self._refuse(action)
            )


@frozen
class ExportRequest:
    """What ``export`` is asked to do.

    :param source_format: The format of the stored version.
    :param target_format: The format to write.
    :param destination: A path that does not exist yet, in an existing folder: write a file or a folder there. The
        core moves it into place when ``export`` returns, so that nothing half-written is ever seen.
    :param options: The keyword arguments named in the target format's ``export_options``.
    :param metadata: The version's metadata.
    """

    source_format: str
    target_format: str
    destination: Any
    options: Mapping[str, Any]
    metadata: ModelMetadata


@frozen
class CollectReport:
    """What garbage collection did: versions forgotten for good, blobs unlinked, bytes freed."""

    versions: int = 0
    blobs: int = 0
    bytes: int = 0


@frozen
class RebuildReport:
    """What rebuilding a catalog found.

    :param versions: Visible versions that the new catalog has.
    :param removed: Removed ones, which can be restored.
    :param backup: The backup that it began with, or the old catalog itself if that was sound; None if there was none
        that could be read.
    :param changes: Changes made again that were noted since.
    :param findings: What could not be brought back, or should be looked at.
    :param moved: The folder where the old catalog is now; None if there was none.
    """

    versions: int
    removed: int
    backup: str | None
    changes: int
    findings: tuple[Finding, ...]
    moved: str | None


@frozen
class RepairReport:
    """What repairing did.

    :param done: What was wrong and is right now; with ``dry_run``, what would be.
    :param left: What is still wrong.
    """

    done: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()


@frozen
class BatchFailure:
    """One of many that failed.

    :param what: What it was: ``name:version`` as far as it is known.
    :param error: Why; whatever was raised.
    """

    what: str
    error: Exception

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.error}"
            if isinstance(self.error, ModelRegistryError)
            else f"{self.what}: {self.error!r}"
        )


@frozen
class BatchReport:
    """What became of many. One that fails stops no other. ``str(report)`` says it in words, a line for each failure.

    :param action: What was done: ``"registered"``, ``"removed"`` or ``"copied"``.
    :param done: The versions to which it was done; in a dry run, to which it would be.
    :param skipped: Those that were there already.
    :param failed: Those that failed, in order.
    :param bytes: Of the files of what was done; of what was copied, only those that had to be.
    :param seconds: How long it took.
    :param dry_run: Nothing was changed.
    """

    action: str
    done: tuple[ModelEntry, ...] = ()
    skipped: tuple[ModelEntry, ...] = ()
    failed: tuple[BatchFailure, ...] = ()
    bytes: int = 0
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether none failed."""
        return not self.failed

    def raise_for_failures(self) -> None:
        """Raise the error of the first that failed, if any did."""
        if self.failed:
            raise self.failed[0].error

    def __str__(self) -> str:
        return "\n".join([self.summary, *(f"  {failure}" for failure in self.failed)])

    @property
    def summary(self) -> str:
        """The counts, in one line."""
        count = len(self.done)
        done = f"{self.action} {count:,} version{'' if count == 1 else 's'}, {self.bytes / MEGABYTE:,.1f} MB"
        parts = [f"would have {done}" if self.dry_run else f"{done}, in {self.seconds:,.1f} s"]
        parts += [f"skipped {len(self.skipped):,}"] if self.skipped else []
        parts += [f"{len(self.failed):,} failed"] if self.failed else []
        return "; ".join(parts)


@frozen
class ProgressReport:
    """How far an operation has come, as ``registry.progress`` tells it.

    :param what: What is being done, for people: ``validating``, ``loading m:1.0.0``.
    :param bytes_done: Bytes read, written, or found to need neither.
    :param bytes_total: As far as is known; None if it is not. Likewise ``items_total``.
    :param items_done: What is counted beside bytes: versions, blobs.
    :param operation: Tells apart operations that go on at once.
    :param finished: This is the last report of the operation, whatever became of it.
    """

    what: str
    bytes_done: int = 0
    bytes_total: int | None = None
    items_done: int = 0
    items_total: int | None = None
    operation: int = 0
    finished: bool = False


@frozen
class PluginInfo:
    """An installed plugin, as ``registry.plugins()`` lists it.

    :param status: ``"ready"``, ``"disabled"`` or ``"failed"``.
    :param problem: Why it failed, in one line.
    """

    name: str
    distribution: str
    version: str
    status: str
    formats: tuple[str, ...] = ()
    problem: str = ""
