"""The registry, as the list of what a user can do. It knows no format; plugins do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from model_registry import operations
from model_registry.config import Settings, load_settings
from model_registry.operations.context import Context
from model_registry.operations.entries import LATEST, entry_of, find, require
from model_registry.records import CollectReport, FormatSpec, LoadedModel, ModelEntry, PluginInfo, ProgressReport

if TYPE_CHECKING:
    from model_registry.loaders import ModelLoader


class ModelRegistry:
    """A registry of AI models in a plain folder. Safe to use from many threads and processes at once.

    :param path: The registry's folder, made if missing. Default: the configuration's, else ``./models``.
    :param config: Settings by keyword; they win over environment, ``registry.toml`` and defaults. ``config=`` names
        the TOML file. See ``docs/reference/configuration.md``.
    :raises ConfigurationError: telling every mistake in the configuration at once.
    :raises RegistryNotFoundError: if there is none and ``create=False``.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, **config: Any) -> None:
        keywords = config if path is None else {"path": path, **config}
        self._context = Context(load_settings(keywords))

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
        :param exist_ok: Return the existing version if it has the same digest, instead of failing.
        :param weights_only: False reads files that execute code; it needs ``trusted_models`` in the configuration too.
        :param options: Options of the format's plugin, each of which it must know.
        :param metadata_and_options: Fields of :class:`ModelMetadata`, options of the format's plugin (such as
            ``tokenizer=``), and anything else of a JSON type, which is kept under ``extra``.
        :raises InvalidOptionError: for one of ``options`` that the plugin does not know.
        :raises VersionExistsError: if the version is taken.
        :raises SourceNotFoundError: for a path where there is nothing.
        :raises UnsafeModelError: for a file that asks for more than data; nothing of it was executed.
        :raises UnsupportedModelError: naming what cannot be stored.
        :raises StorageError: if the disk refused; nothing became visible.
        """
        return operations.register.register(
            self._context,
            name,
            model,
            model_format,
            version=version,
            exist_ok=exist_ok,
            weights_only=weights_only,
            chosen=options or {},
            given=metadata_and_options,
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

        :param version: A version, or "latest": the highest by PEP 440, pre-releases only if there is nothing else.
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

        :param removed: Those that can be restored, instead of the visible ones.
        :param after: (name, version) of the last entry of the page before; with ``limit`` this makes pages.
        """
        rows = self._context.catalog.versions(
            name=name, model_type=model_type, format=model_format, after=after, limit=limit, removed=removed
        )
        return [entry_of(self._context, row) for row in rows]

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
        **options: Any,
    ) -> str:
        """Write a version to a file or folder that does not exist yet; returns its path.

        :param export_format: Another format, by a plugin's conversion. Left out: what the path's suffix says, else the
            files as they were registered.
        :raises DestinationExistsError: rather than overwrite.
        """
        return operations.export.export(
            self._context, name, version, export_path, export_format, overwrite=overwrite, given=options
        )

    def validate_registry(self, *, deep: bool = False) -> dict[str, Any]:
        """Check every version. Nothing is changed.

        :param deep: Read every byte again, also of files that have not changed since they were last verified.
        :returns: ``total_models`` and ``valid_models`` (versions), ``errors`` and ``warnings`` (lines for people), and
            ``findings``, a list of :class:`Finding`.
        """
        return operations.validate.validate(self._context, deep=deep)

    def get_detailed_stats(self) -> dict[str, Any]:
        """Counts and bytes: models, versions, logical and stored bytes, by format and type."""
        return operations.stats.stats(self._context)

    def collect_garbage(self, keep_removed_days: float | None = None) -> CollectReport:
        """Forget versions removed longer ago than this, and free every blob that nothing needs.

        :param keep_removed_days: Default: the configuration's. 0 forgets all removed versions now.
        """
        return operations.collect.collect(self._context, keep_removed_days)
