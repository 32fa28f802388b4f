"""What every operation works with: the parts of one registry."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from model_registry.catalog import Catalog, open_catalog
from model_registry.config import Settings
from model_registry.errors import RegistryNotFoundError, StorageError
from model_registry.progress import Progress
from model_registry.records import MEGABYTE

if TYPE_CHECKING:
    from model_registry.blobs import BlobStore
    from model_registry.operations.backup import Keeper
    from model_registry.plugins import Plugins
    from model_registry.uses import Uses


class Context:
    """The parts of one registry. The catalog is opened at once, the others when first used: a listing needs neither.

    :raises RegistryNotFoundError: if there is no registry and it must not be made.
    :raises StorageError: if its catalog is gone or damaged.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.path.absolute()
        self.progress = Progress()
        self.catalog = self._open_catalog()
        if settings.backup_enabled:
            self.catalog.listen(lambda told: self._keeper(told))

    def _open_catalog(self) -> Catalog:
        try:
            return open_catalog(self.settings.catalog, self.folder, create=False)
        except RegistryNotFoundError:
            if not any(True for _ in self.blobs.digests()):
                return open_catalog(self.settings.catalog, self.folder, create=self.settings.create)
        try:  # another process may have made the registry, and put blobs into it, since we looked
            return open_catalog(self.settings.catalog, self.folder, create=False)
        except RegistryNotFoundError as missing:
            # A new, empty catalog would make garbage of all of them.
            raise StorageError(
                f"the registry at {self.folder} has blobs, but its catalog is gone",
                hint="«model-registry rebuild» makes it anew from the blobs and the newest backup; nothing was changed",
                path=str(self.folder),
            ) from missing

    @cached_property
    def _keeper(self) -> Keeper:
        from model_registry.operations.backup import Keeper

        return Keeper(self)

    @cached_property
    def blobs(self) -> BlobStore:
        from model_registry.blobs import open_blobs

        cache_bytes = int(self.settings.cache_size * MEGABYTE)
        return open_blobs(self.settings.blobs, self.folder, lambda *piece: self.plugins.decode(*piece), cache_bytes)

    @cached_property
    def uses(self) -> Uses:
        from model_registry.uses import Uses

        return Uses(self.folder / "uses")

    @cached_property
    def plugins(self) -> Plugins:
        from model_registry.plugins import Plugins

        return Plugins(self.settings)
