"""What every operation works with: the parts of one registry."""

from __future__ import annotations

from attrs import frozen

from model_registry.blobs import BlobStore, open_blobs
from model_registry.catalog import Catalog, open_catalog
from model_registry.config import Settings
from model_registry.plugins import Plugins


@frozen
class Context:
    """The parts of one registry, opened."""

    settings: Settings
    catalog: Catalog
    blobs: BlobStore
    plugins: Plugins


def open_context(settings: Settings) -> Context:
    """Open the registry of these settings, making it if there is none and ``settings.create`` allows.

    :raises RegistryNotFoundError: if there is none and it must not be made.
    """
    folder = settings.path.absolute()
    catalog = open_catalog(settings.catalog, folder, create=settings.create)
    return Context(settings, catalog, open_blobs(settings.blobs, folder), Plugins(settings))
