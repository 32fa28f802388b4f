"""All checks of a catalog in one class."""

from __future__ import annotations

from model_registry.testing.catalog_facts import CatalogFacts
from model_registry.testing.catalog_versions import CatalogVersions


class CatalogConformance(CatalogVersions, CatalogFacts):
    """What a catalog must do: the laws of :class:`model_registry.catalog.Catalog`. Subclass it as ``Test…``::

    class TestSqliteCatalog(CatalogConformance):
        def make_catalog(self, folder):
            return SqliteCatalog(folder / "catalog.sqlite", create=True)
    """
