"""What every operation works with: the parts of one registry."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from model_registry.catalog import Catalog, open_catalog
from model_registry.config import Settings

if TYPE_CHECKING:
    from model_registry.blobs import BlobStore
    from model_registry.plugins import Plugins


class Context:
    """The parts of one registry. The catalog is opened at once, the others when first used: a listing needs neither.

    :raises RegistryNotFoundError: if there is no registry and it must not be made.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.path.absolute()
        self.catalog: Catalog = open_catalog(settings.catalog, self.folder, create=settings.create)

    @cached_property
    def blobs(self) -> BlobStore:
        from model_registry.blobs import open_blobs

        return open_blobs(self.settings.blobs, self.folder)

    @cached_property
    def plugins(self) -> Plugins:
        from model_registry.plugins import Plugins

        return Plugins(self.settings)
