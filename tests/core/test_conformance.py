"""The local blob store and the SQLite catalog pass the kit that every other one has to pass."""

from __future__ import annotations

from pathlib import Path

from model_registry.blobs.local import LocalBlobs
from model_registry.catalog.sqlite import SqliteCatalog
from model_registry.testing import BlobStoreConformance, CatalogConformance


class TestLocalBlobs(BlobStoreConformance):
    def make_store(self, folder: Path) -> LocalBlobs:
        return LocalBlobs(folder)


class TestSqliteCatalog(CatalogConformance):
    def make_catalog(self, folder: Path) -> SqliteCatalog:
        return SqliteCatalog(folder / "catalog.sqlite", create=True)
