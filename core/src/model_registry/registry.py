"""The registry, as the list of what a user can do. It knows no format; plugins do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from model_registry import operations, remotes
from model_registry.actor import acting_as
from model_registry.config import Settings, load_settings
from model_registry.operations.context import Context
from model_registry.operations.entries import LATEST, entry_of, find, require
from model_registry.records import (
    BatchReport,
    CollectReport,
    Conversion,
    Event,
    ExportedPath,
    FormatSpec,
    LineageNode,
    LoadedModel,
    ModelEntry,
    Parent,
    ParityReport,
    PluginInfo,
    ProgressReport,
    RebuildReport,
    RepairReport,
    SearchPage,
)

if TYPE_CHECKING:
    from model_registry.comparison import Comparison
    from model_registry.loaders import ModelLoader
    from model_registry.operations.batch import ProgressChoice
    from model_registry.operations.parents import ParentLike
    from model_registry.operations.selection import Where
    from model_registry.records.archive import ArchiveReport
    from model_registry.records.compression import CompressionReport


class ModelRegistry:
    """A registry of AI models in a plain folder. Safe to use from many threads and processes at once.

    :param path: The registry's folder, made if missing. Default: the configuration's, else ``./models``. An address,
        such as ``http://models:8000``, opens what a server has, by the plugin that knows its scheme.
    :param config: Settings by keyword; they win over environment, ``registry.toml`` and defaults. ``config=`` names
        the TOML file. See ``docs/reference/configuration.md``. For an address, ``token=`` says who the caller is;
        default: what ``MODEL_REGISTRY_TOKEN`` says in the environment.
    :raises ConfigurationError: telling every mistake in the configuration at once.
    :raises RegistryNotFoundError: if there is none and ``create=False``.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, **config: Any) -> None:
        self._context = Context(load_settings(_keywords(path, config)))

    def __new__(cls, path: str | os.PathLike[str] | None = None, **config: Any) -> ModelRegistry:
        """A registry of which the path is an address, such as ``http://models:8000``, is of the class that a plugin
        offers for its scheme, by an entry point in the group ``model_registry.remotes``."""
        address = remotes.address(_keywords(path, config)) if cls is ModelRegistry else None
        return object.__new__(cls if address is None else remotes.class_for(address, ModelRegistry))

    @classmethod
    def rebuild(
        cls, path: str | os.PathLike[str] | None = None, *, force: bool = False, **config: Any
    ) -> RebuildReport:
        """Make a lost or damaged catalog anew, from the blobs, the newest backup and what was changed since.

        Every version comes back whose manifest and metadata can be read. The old catalog is moved aside, never deleted.
        It can be interrupted and run again. Without a backup and what was noted since, no alias, tag, edited
        description, link or removal comes back.

        :param path: As for a registry, like ``config``.
        :param force: Also if the catalog is sound.
        :raises StorageError: if the catalog is sound, or the disk refuses; nothing was changed then.
        :raises RegistryNotFoundError: if there is neither a catalog nor a blob.
        """
        address = remotes.address(_keywords(path, config)) if cls is ModelRegistry else None
        if address is not None:
            return remotes.class_for(address, ModelRegistry).rebuild(path, force=force, **config)
        return operations.rebuild.rebuild(load_settings(_keywords(path, config)), force=force)

    def __getnewargs__(self) -> tuple[object, ...]:
        """A copy is of the same class, wherever the configuration says that registries are."""
        return (os.fspath(self.settings.path),)

    def __repr__(self) -> str:
        return f"ModelRegistry({str(self.settings.path)!r})"

    @property
    def settings(self) -> Settings:
        """What this registry was told, and by whom (``settings.origins``)."""
        return self._context.settings

    @property
    def loaders(self) -> MutableMapping[str, ModelLoader]:
        """Custom loaders by format: ``registry.loaders[ModelFormat.CUSTOM] = MyLoader()``."""
        return self._context.plugins.loaders

    def progress(self, listener: Callable[[ProgressReport], object]) -> AbstractContextManager[None]:
        """``with registry.progress(listener):`` — tells the listener how far long work has come.

        :param listener: Called with a :class:`ProgressReport` when an operation begins, at most 20 times a second
            while it goes on, and when it ends; from any thread, but never twice at once. What it raises ends the
            operation as a failure does, unless that had ended already.
        """
        return self._context.progress.listening(listener)

    def plugins(self) -> list[PluginInfo]:
        """Every installed plugin: ready, disabled, or failed and why."""
        return self._context.plugins.infos()

    def formats(self) -> dict[str, FormatSpec]:
        """The formats that can be handled now."""
        return self._context.plugins.formats()

    def register_model(
        self,
        name: str,
        model: Any,
        model_format: str | None = None,
        *,
        version: str | None = None,
        parent: ParentLike | Sequence[ParentLike] = (),
        exist_ok: bool = False,
        weights_only: bool | None = None,
        options: Mapping[str, Any] | None = None,
        **metadata_and_options: Any,
    ) -> ModelEntry:
        """Store a model as a new immutable version. When this returns, the version survives a power cut.

        :param name: See ``model_registry.names``: letters, digits and ``. _ - /``.
        :param model: An object in memory, or a path to a file or folder.
        :param model_format: Its format; seen from the content when left out.
        :param version: Any PEP 440 version, or another string; left out: 1.0.0, then the next patch.
        :param parent: What it comes from: ``"base:1.0.0"``, ``"base@champion"``, an entry, or a :class:`Parent` with
            another relation than ``derived``; several as a list. Part of the version, like the metadata.
        :param exist_ok: Return the existing version if it has the same digest, instead of failing.
        :param weights_only: False reads files that execute code; it needs ``trusted_models`` in the configuration too.
        :param options: Options of the format's plugin, each of which it must know.
        :param example_inputs: Inputs to store with the model, by which conversions are checked: arrays of NumPy or
            tensors by name, or several in order.
        :param metadata_and_options: Fields of :class:`ModelMetadata`, options of the format's plugin (such as
            ``tokenizer=``), and anything else of a JSON type, which is kept under ``extra``.
        :raises InvalidOptionError: for one of ``options`` that the plugin does not know.
        :raises VersionExistsError: if the version is taken.
        :raises SourceNotFoundError: for a path where there is nothing.
        :raises UnsafeModelError: for a file that asks for more than data; nothing of it was executed.
        :raises UnsupportedModelError: naming what cannot be stored.
        :raises StorageError: if the disk refused; nothing became visible.
        """
        entry, _ = operations.register.register(
            self._context,
            name,
            model,
            model_format,
            version=version,
            parent=parent,
            exist_ok=exist_ok,
            weights_only=weights_only,
            options=options,
            **metadata_and_options,
        )
        return entry

    def register_from_hub(
        self,
        repo_id: str,
        name: str | None = None,
        *,
        revision: str | None = None,
        version: str | None = None,
        parent: ParentLike | Sequence[ParentLike] = (),
        exist_ok: bool = False,
        **metadata: Any,
    ) -> ModelEntry:
        """Download a model from a hub, by the plugin that knows one, and register it.

        Only what the model needs is downloaded; a download that was interrupted goes on where it ended. The version
        says in ``extra["origin"]`` which repository and commit it is.

        :param repo_id: The repository, such as ``"sentence-transformers/all-MiniLM-L6-v2"``.
        :param name: What to call the model here; left out, like the repository.
        :param revision: A branch, a tag or a commit. What it names now is what is registered.
        :param parent: As for ``register_model``, like the rest: the base, for an adapter.
        :raises SourceNotFoundError: if there is no such repository or revision.
        :raises UnsafeModelError: if the model asks for more than data.
        :raises IntegrityError: if a file is not the one that the hub tells of.
        :raises StorageError: if the hub cannot be reached.
        """
        return operations.hub.register_from_hub(
            self._context,
            repo_id,
            name,
            revision=revision,
            version=version,
            parent=parent,
            exist_ok=exist_ok,
            **metadata,
        )

    def load_model(
        self,
        name: str,
        version: str = LATEST,
        *,
        allow_code: bool = False,
        weights_only: bool | None = None,
        **options: Any,
    ) -> LoadedModel:
        """Load a model; the result unpacks as ``model, tokenizer``. Every byte used has been verified.

        :param version: A version; "latest", the highest by PEP 440, pre-releases only if there is nothing else; or
            an alias, such as "@champion". So it is wherever a version is asked for.
        :param allow_code: Permit that code stored with this model runs.
        :param weights_only: True forbids code even where the configuration allows it; False asks for what the
            configuration allows.
        :param options: What the format's plugin understands, such as ``device=``.
        :raises ModelNotFoundError: naming what is called nearly so.
        :raises IntegrityError: if bytes on the disk are not those that were registered.
        :raises PermissionRequiredError: if loading would run code that nobody permitted.
        :raises UnsupportedFormatError: naming the distribution to install.
        """
        return operations.load.load(
            self._context, name, version, allow_code=allow_code, weights_only=weights_only, given=options
        )

    def temporary_model(self, name: str, version: str = LATEST, **options: Any) -> AbstractContextManager[LoadedModel]:
        """``with registry.temporary_model("m") as (model, tokenizer):`` — loads, and frees what the framework keeps."""
        return operations.load.temporary(self._context, self.load_model(name, version, **options))

    def list_models(
        self,
        model_type: str | None = None,
        *,
        name: str | None = None,
        model_format: str | None = None,
        removed: bool = False,
        after: tuple[str, str] | None = None,
        limit: int | None = None,
    ) -> list[ModelEntry]:
        """The versions of all models, by name, then PEP 440.

        :param name: A name, or a pattern with ``*`` and ``?``; case does not count.
        :param removed: Those that can be restored, instead of the visible ones.
        :param after: (name, version) of the last entry of the page before; with ``limit`` this makes pages.
        """
        rows = self._context.catalog.versions(
            name=name, model_type=model_type, format=model_format, after=after, limit=limit, removed=removed
        )
        return [entry_of(self._context, row) for row in rows]

    def search(self, query: str = "", *, limit: int | None = None, after: str | None = None) -> SearchPage:
        """The versions that fulfil a query, such as ``metrics.accuracy >= 0.97 and tags.stage = 'prod' order by size``.

        The language is told in ``docs/reference/search.md``. Without an order, by name, then PEP 440.

        :param query: Empty for all versions.
        :param limit: How many at most; None for all.
        :param after: The ``cursor`` of the page before, of the same query.
        :raises InvalidQueryError: with the column of the mistake in the query.
        """
        return operations.search.search(self._context, query, limit=limit, after=after)

    def get_model_info(self, name: str, version: str = LATEST) -> ModelEntry | None:
        """The entry of a version, None if there is none."""
        row = find(self._context, name, version)
        return None if row is None else entry_of(self._context, row)

    def resolve(self, name: str, version: str = LATEST) -> ModelEntry:
        """The entry of a version, which must exist.

        :raises ModelNotFoundError: naming models that are called nearly so.
        :raises VersionNotFoundError: naming the versions there are.
        """
        return entry_of(self._context, require(self._context, name, version))

    def compare(self, a: str | ModelEntry, b: str | ModelEntry, *, differences: bool = False) -> Comparison:
        """How the version ``b`` differs from ``a``: metadata, metrics, files, tensors, modules. Neither is loaded.

        Tensors in files of one digest are equal without being read; of others, no byte is read twice, once the files
        have been verified.

        :param a: A version of any model and format: ``"name"`` (the latest), ``"name:version"``, or an entry, which may
            be of another registry. Likewise ``b``.
        :param differences: Also tell the greatest and the mean absolute difference of each tensor that changed.
        :raises ModelNotFoundError: naming models that are called nearly so.
        :raises IntegrityError: if bytes on the disk are not those that were registered.
        """
        return operations.compare.compare(self._context, a, b, differences=differences)

    def remove_model(self, name: str, version: str | None = None) -> bool:
        """Remove a version, or all of a model. While ``backup_enabled``, ``restore_model`` brings it back for
        ``keep_removed_days``. False if there was nothing to remove."""
        return bool(operations.remove.remove(self._context, name, version))

    def restore_model(self, name: str, version: str | None = None) -> list[ModelEntry]:
        """Bring a removed version back, or all of a model.

        :raises VersionNotFoundError: if it was not removed, or forgotten since.
        :raises VersionExistsError: if it was registered anew since.
        """
        return operations.remove.restore(self._context, name, version)

    def export_model(
        self,
        name: str,
        version: str,
        export_path: str | os.PathLike[str],
        export_format: str | None = None,
        *,
        overwrite: bool = False,
        check: bool = True,
        allow_mismatch: bool = False,
        inputs: Any = None,
        tolerance: float | None = None,
        **options: Any,
    ) -> ExportedPath:
        """Write a version to a file or folder that does not exist yet; returns its path, which also tells ``parity``.

        What is written in another format is run beside its source before anybody sees it: on the inputs that are
        stored with the version, and on others of several sizes.

        :param export_format: Another format, by one or more conversions of plugins. Left out: what the path's suffix
            says, else the files as they were registered.
        :param check: False does not run anything.
        :param allow_mismatch: Keep also what computes something else.
        :param inputs: Values to run both on, as for ``example_inputs``, beside those that are made; a list of mappings
            for several runs.
        :param tolerance: The greatest difference to allow, relative to 1 + the greatest element of an output. Default:
            by type, 1e-4 for float32.
        :param options: What the conversions understand, such as ``opset=``.
        :raises DestinationExistsError: rather than overwrite.
        :raises UnsupportedFormatError: with what is possible.
        :raises ParityError: if the result computes something else; nothing was written.
        """
        gate = operations.parity.Gate(check, allow_mismatch, inputs, tolerance)
        return operations.export.export(
            self._context, name, version, export_path, export_format, overwrite=overwrite, gate=gate, given=options
        )

    def compress_model(
        self,
        name: str,
        version: str,
        compression: str,
        *,
        new_name: str | None = None,
        new_version: str | None = None,
        inputs: Any = None,
        evaluate: Callable[[Any], float] | None = None,
        max_drop: float | None = None,
        min_cosine: float | None = None,
        **options: Any,
    ) -> ModelEntry:
        """Register a smaller model made of a version, whose results differ a little, with what that costs.

        Both are run on the same inputs before anything is registered: how well they agree, and how long a run takes,
        is kept in ``extra["compression"]``.

        :param compression: A :class:`CompressionType` that a plugin offers for the version's format.
        :param new_name: Register it under this model; default: the same.
        :param new_version: Its version; default: the next patch.
        :param inputs: As for ``export_model``.
        :param evaluate: What gives the quality of a model, the greater the better; called with the source and with
            the result, as ``load_model`` gives them. Both figures are kept.
        :param max_drop: Refuse a result whose quality is less by more than this. Without ``evaluate``, the quality is
            the cosine of its outputs with those of the source: 1 before.
        :param min_cosine: Refuse a result of which an output has a lower cosine with that of the source.
        :param options: What the way of compression understands, such as ``block_size=``.
        :raises ParityError: for a result that is refused; nothing was registered.
        :raises UnsupportedFormatError: if no installed plugin offers this compression for the format.
        :raises UnsupportedModelError: if nothing of the model gets smaller, it does not run, or nobody knows what it
            takes and there is no ``evaluate`` either.
        """
        limits = operations.price.Limits(inputs, evaluate, max_drop, min_cosine)
        return operations.compress.compress(
            self._context,
            name,
            version,
            compression,
            new_name=new_name,
            new_version=new_version,
            limits=limits,
            given=options,
        )

    def recommend_compression(
        self,
        name: str,
        version: str = LATEST,
        *,
        types: Sequence[str] | None = None,
        inputs: Any = None,
        evaluate: Callable[[Any], float] | None = None,
        max_drop: float | None = None,
        min_cosine: float | None = None,
        plot: str | os.PathLike[str] | None = None,
        keep: bool = False,
        new_name: str | None = None,
        new_version: str | None = None,
        progress: ProgressChoice = None,
    ) -> CompressionReport:
        """Try what ``compress_model`` can make of a version, and measure each: the smallest that is good enough is
        recommended. ``print`` the report to see a table.

        :param types: What to try. Default: every :class:`CompressionType` that plugins offer for the format.
        :param inputs: As for ``compress_model``, like ``evaluate``, ``max_drop`` and ``min_cosine``.
        :param max_drop: Default, if there is no ``min_cosine`` either: 0.01.
        :param plot: A picture to draw, ``.png`` or ``.svg``: size against fidelity against latency.
        :param keep: Register what is recommended; otherwise nothing is kept.
        :param new_name: As for ``compress_model``, like ``new_version``.
        :param progress: As for ``register_many``.
        """
        limits = operations.price.Limits(inputs, evaluate, max_drop, min_cosine)
        with operations.batch.showing(self._context, progress):
            return operations.recommend.recommend(
                self._context,
                name,
                version,
                types=types,
                limits=limits,
                plot=None if plot is None else Path(plot),
                keep=keep,
                new_name=new_name,
                new_version=new_version,
            )

    def convert(
        self,
        name: str,
        version: str = LATEST,
        *,
        to: str,
        new_name: str | None = None,
        new_version: str | None = None,
        check: bool = True,
        allow_mismatch: bool = False,
        inputs: Any = None,
        tolerance: float | None = None,
        **options: Any,
    ) -> ModelEntry:
        """Register what another format is made of a version, with the version as its parent.

        It has passed the same gate as an export, and the figures are kept under ``extra["conversion"]``.

        :param to: The format.
        :param new_name: The model to register it under; left out, it is a new version of the same model.
        :param new_version: As ``version`` for ``register_model``.
        :param check: As for ``export_model``, like the rest.
        :raises UnsupportedFormatError: with what is possible.
        :raises ParityError: if the result computes something else; nothing was registered.
        """
        return operations.convert.convert(
            self._context,
            name,
            version,
            str(to),
            new_name=new_name,
            new_version=new_version,
            gate=operations.parity.Gate(check, allow_mismatch, inputs, tolerance),
            given=options,
        )

    def plan_conversion(
        self,
        name: str,
        version: str = LATEST,
        to: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
    ) -> list[Conversion]:
        """The steps that lead to a format; none if the version has it already.

        :param to: The format; left out, it is what the suffix of ``path`` says, as for ``export_model``.
        :raises UnsupportedFormatError: with what is possible.
        """
        return operations.export.plan_export(self._context, name, version, path, to)

    def check_parity(
        self, a: str | ModelEntry, b: str | ModelEntry, *, inputs: Any = None, tolerance: float | None = None
    ) -> ParityReport:
        """Run two versions on the same inputs, and say how well they agree, output by output.

        :param a: A version, as for :meth:`compare`; likewise ``b``. They may be of different formats.
        :param inputs: As for ``export_model``, like ``tolerance``.
        :raises UnsupportedModelError: if nobody knows what ``a`` takes.
        """
        return operations.parity.compare_versions(self._context, a, b, inputs, tolerance)

    def register_many(self, items: Iterable[Mapping[str, Any]], *, progress: ProgressChoice = None) -> BatchReport:
        """Register many models, one after the other. One that fails stops no other.

        :param items: The keywords of ``register_model`` for each: ``{"name": "m", "model": model, …}``. They are taken
            one by one, so a generator need not hold all models at once; what the generator itself raises is raised.
        :param progress: True shows a bar on stderr, False none; None shows one if stderr is a terminal. Or a listener,
            as for :meth:`progress`.
        """
        return operations.batch.register_many(self._context, items, progress)

    def remove_many(self, where: Where, *, dry_run: bool = False, progress: ProgressChoice = None) -> BatchReport:
        """Remove all versions that a query finds, 500 in one transaction. Like ``remove_model``, also those that an
        alias names, and restorable in the same way.

        :param where: A query, as for ``search``; or versions: ``"name:version"``, ``"name@alias"`` or entries.
        :param dry_run: Change nothing; the report says what would be removed.
        :param progress: As for ``register_many``.
        :raises InvalidOptionError: for an empty query, which would find everything.
        """
        return operations.batch.remove_many(self._context, where, dry_run=dry_run, progress=progress)

    def copy_versions(
        self,
        target: ModelRegistry | str | os.PathLike[str],
        where: Where = "",
        *,
        tags: bool = True,
        aliases: bool = False,
        dry_run: bool = False,
        progress: ProgressChoice = None,
    ) -> BatchReport:
        """Copy versions into another registry, byte for byte, with the same digests and the time of their registration.

        Each file is verified while it is copied, and files that the target has are not read. A version that the target
        has is skipped, so a run that was interrupted is continued by running it again; another version under the same
        name is a failure. Neither registry needs the plugins of the formats; this one need not be writable.

        :param target: A registry, its address, or its folder, which is made if it is missing.
        :param where: A query, as for ``search``, or versions, as for ``remove_many``; everything by default.
        :param tags: Also tags, edited descriptions and links, where the target says nothing else.
        :param aliases: Also aliases that the target does not have.
        :param dry_run: Change nothing; the report says what would be copied.
        :param progress: As for ``register_many``.
        """
        to = target if isinstance(target, ModelRegistry) else ModelRegistry(target)
        return to._copy_from(self, where, tags=tags, aliases=aliases, dry_run=dry_run, progress=progress)

    def _copy_from(
        self, source: ModelRegistry, where: Where, *, tags: bool, aliases: bool, dry_run: bool, progress: ProgressChoice
    ) -> BatchReport:
        """What ``source.copy_versions(self)`` does: how versions come in, the target knows."""
        return operations.copying.copy_versions(
            source._context,
            self._context,
            where,
            with_tags=tags,
            with_aliases=aliases,
            dry_run=dry_run,
            progress=progress,
        )

    def receive_version(
        self,
        digest: str,
        fetch: Callable[[str], Path],
        *,
        records: Iterable[str] = (),
        registered_at: datetime | None = None,
        arrived: Mapping[Path, str] = MappingProxyType({}),
        exist_ok: bool = False,
        name: str | None = None,
        borrow: bool = True,
    ) -> ModelEntry:
        """Take a version as another registry has it, with its digest, where that cannot be opened: such as a server's.

        What is stored already is not fetched, and everything that is fetched is verified.

        :param digest: That of its manifest, with which everything begins.
        :param fetch: Gives a file with the bytes of a blob, by its SHA-256; from any thread, several at once.
        :param records: Those of ``entry.blobs`` that the manifest does not name: they tell of its origin.
        :param registered_at: When it was registered there. Default: now.
        :param arrived: Those of these files that may be moved, with the digests that they had when they arrived, as in
            an :class:`Arrival`.
        :param exist_ok: As for ``register_model``.
        :param name: The model that it has to be of.
        :param borrow: False demands that every blob arrives which the model does not have already, though another one
            has it: who knows a digest need not have seen the bytes.
        :raises IntegrityError: for other bytes than those of a digest.
        :raises UnsafeModelError: for a manifest or files that are not sound.
        :raises VersionExistsError: if there is a version of its name.
        """
        return operations.receive.receive(
            self._context,
            digest,
            fetch,
            records=records,
            registered_at=registered_at,
            arrived=arrived,
            exist_ok=exist_ok,
            name=name,
            borrow=borrow,
        )

    def next_version(self, name: str) -> str:
        """The number that the next version of a model gets if it is registered without one, and nobody is faster."""
        return operations.register.next_version(self._context, name)

    def stored_blobs(self, sizes: Mapping[str, int], *, name: str | None = None) -> set[str]:
        """Which of these blobs are stored here, and need not be sent.

        :param sizes: Bytes by SHA-256.
        :param name: Only those that a visible version of this model needs.
        """
        return operations.selection.stored_blobs(self._context, sizes, name)

    def set_alias(self, name: str, alias: str, version: str = LATEST) -> ModelEntry:
        """Let an alias name a version: ``registry.load_model("m", "@champion")`` loads it until the alias moves on.

        :raises InvalidNameError: for what can be no alias.
        """
        return operations.aliases.set_alias(self._context, name, alias, version)

    def delete_alias(self, name: str, alias: str) -> bool:
        """Forget an alias; False if there is none."""
        return operations.aliases.delete_alias(self._context, name, alias)

    def undo_alias(self, name: str, alias: str, *, expected: int | None = None) -> ModelEntry | None:
        """Take back the last change of an alias, a rollback too; called again, the one before it.

        :param expected: The id of the alias's newest event, as :meth:`history` told it: nothing else is taken back.
        :returns: What it names again; None if it is no alias now.

        :raises AliasMovedError: if somebody changed the alias since the event that was expected.
        :raises VersionNotFoundError: if there is nothing to take back, or what it named is not there any more.
        """
        return operations.aliases.undo(self._context, name, alias, expected)

    def rollback(self, name: str, alias: str) -> ModelEntry:
        """Let an alias name what it named before: the last version that is another one and still there.

        Called again, it goes further back. ``undo_alias`` takes it back.

        :raises VersionNotFoundError: if there is none.
        """
        return operations.aliases.rollback(self._context, name, alias)

    def aliases(self, name: str) -> dict[str, str]:
        """The versions that the aliases of a model name, by alias."""
        return operations.aliases.aliases(self._context, name)

    def set_tag(self, name: str, key: str, value: object, version: str | None = None) -> None:
        """Give a version a tag, or the model itself without ``version``. What it had under this key is replaced.

        :param value: A text; numbers and flags are kept as text.
        """
        operations.tags.set_tag(self._context, name, key, value, version)

    def delete_tag(self, name: str, key: str, version: str | None = None) -> bool:
        """Take a tag away from a version, or from the model itself; False if there is none."""
        return operations.tags.delete_tag(self._context, name, key, version)

    def tags(self, name: str, version: str | None = None) -> dict[str, str]:
        """The tags of a version, or of the model itself, by key."""
        return operations.tags.tags(self._context, name, version)

    def describe(self, name: str, description: str | None, version: str | None = None) -> None:
        """Edit the description of a version, or of the model itself. None goes back to what was registered."""
        operations.tags.describe(self._context, name, description, version)

    def description(self, name: str) -> str | None:
        """The description of a model itself; that of a version is ``entry.description``."""
        return operations.tags.description(self._context, name)

    def link(self, name: str, version: str, parent: ParentLike, relation: str | None = None) -> Parent:
        """Say what a registered version comes from.

        :param parent: As for ``register_model``.
        :param relation: Default: ``derived``, or what the :class:`Parent` says.
        :raises InvalidMetadataError: if the parent itself comes from the version.
        """
        return operations.lineage.link(self._context, name, version, parent, relation)

    def unlink(self, name: str, version: str, parent: ParentLike, relation: str | None = None) -> bool:
        """Take back what ``link`` said; False if it was not said, or is part of the version."""
        return operations.lineage.unlink(self._context, name, version, parent, relation)

    def lineage(self, name: str, version: str = LATEST, *, depth: int = 100) -> LineageNode:
        """What a version comes from, and what comes from it, each as a tree.

        :param depth: Levels that are followed in each direction.
        """
        return operations.lineage.lineage(self._context, name, version, depth)

    def history(
        self,
        name: str | None = None,
        version: str | None = None,
        *,
        alias: str | None = None,
        before: int | None = None,
        limit: int | None = 100,
    ) -> list[Event]:
        """What was changed, when and by whom; the newest first. Also of models and versions that are gone.

        :param alias: Only the moves of this alias.
        :param before: The ``id`` of the last event of the page before.
        """
        return operations.history.history(self._context, name, version, alias=alias, before=before, limit=limit)

    def acting_as(self, actor: str) -> AbstractContextManager[None]:
        """``with registry.acting_as("ada"):`` — changes within the block are recorded as hers, not ``user@host``'s."""
        return acting_as(actor)

    def validate_registry(
        self, *, deep: bool = False, on_version: Callable[[str, bool], object] | None = None
    ) -> dict[str, Any]:
        """Check every version. Nothing is changed.

        :param deep: Read everything: every byte again, also of files that have not changed since they were last
            verified, of removed versions and of the records of origins; every page of the catalog; and whether its
            books agree with the manifests. See ``docs/reference/findings.md``.
        :param on_version: Called for each version as soon as it was looked at, with its digest and whether all its
            bytes are as they were registered; not for one of which the catalog's entry is wrong.
        :returns: ``total_models`` and ``valid_models`` (versions), ``errors`` and ``warnings`` (lines for people), and
            ``findings``, a list of :class:`Finding`.
        """
        return operations.validate.validate(self._context, deep=deep, on_version=on_version)

    def repair(self, *, dry_run: bool = False) -> RepairReport:
        """Put right what is safe, and say what was done. No version is removed, and no damaged file deleted.

        The catalog's books are corrected from the manifests, indexes made anew, leftovers of dead registrations
        discarded, and a damaged file put back if its bytes are found elsewhere in the registry. Every byte is read.

        :param dry_run: Only say what would be done.
        """
        return operations.repair.repair(self._context, dry_run=dry_run)

    def get_detailed_stats(self) -> dict[str, Any]:
        """Counts and bytes: models, versions, logical and stored bytes, by format and type."""
        return operations.stats.stats(self._context)

    def backup(self) -> str:
        """Copy the catalog into the registry's folder ``backups`` now; returns the path. The newest three are kept.

        While ``backup_enabled``, that happens once a day by itself, and what changes in between is noted there too.
        """
        return str(operations.backup.backup(self._context))

    def collect_garbage(self, keep_removed_days: float | None = None) -> CollectReport:
        """Forget versions removed longer ago than this, and free every blob that nothing needs.

        :param keep_removed_days: Default: the configuration's. 0 forgets all removed versions now.
        """
        return operations.collect.collect(self._context, keep_removed_days)

    def archive(
        self, name: str | None = None, *, keep: int | None = None, progress: ProgressChoice = None
    ) -> ArchiveReport:
        """Keep the files of older versions smaller. They load as before, restored when they are needed.

        Versions that an alias names stay as they are, and so do those that ``restore_hot`` brought back.

        :param name: A model, or a pattern of names. Left out, the policy of the configuration says which: models of
            ``compression_threshold`` megabytes or more.
        :param keep: How many of a model's newest versions stay as they are. Default: ``keep_hot``.
        :param progress: As for ``register_many``.
        :raises UnsupportedFormatError: if no plugin is installed that archives.
        """
        return operations.archive.archive(self._context, name, keep, progress)

    def restore_hot(self, name: str, version: str) -> ModelEntry:
        """Make the files of an archived version plain files again, for good: its tag ``archive`` is ``never`` then."""
        return operations.archive.restore_hot(self._context, name, version)


def _keywords(path: str | os.PathLike[str] | None, config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config if path is None else {"path": path, **config}
