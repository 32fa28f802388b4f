"""What the checks of a catalog have in common: the author's part, and rows to commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_registry.catalog import Catalog, VersionRow
from model_registry.clock import now

#: A blob that every row of :func:`row` needs unless it is told otherwise.
BLOB = ("b" * 64, 7, "model.bin")


class CatalogSuite:
    """The author's part of :class:`model_registry.testing.CatalogConformance`."""

    def make_catalog(self, folder: Path) -> Catalog:
        """An instance of the catalog, made if there is none; of the same one for the same folder."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The folder of the catalog under test."""
        return tmp_path / "catalog"

    @pytest.fixture
    def catalog(self, folder: Path) -> Catalog:
        """An empty catalog."""
        return self.make_catalog(folder)


def row(name: str = "m", version: str = "1.0", **changes: Any) -> VersionRow:
    """A row to commit."""
    known = {"digest": "a" * 64, "format": "bytes", "model_type": "custom", "size": 10, "metadata": "{}"}
    return VersionRow(name, version, **{**known, "registered_at": now(), "blobs": (BLOB,), **changes})


def add(catalog: Catalog, *rows: VersionRow) -> None:
    """Commit rows, each by a registration of its own."""
    for each in rows:
        catalog.commit(catalog.begin("me"), each)


def listed(catalog: Catalog, **asked: Any) -> list[tuple[str, str]]:
    return [(each.name, each.version) for each in catalog.versions(**asked)]


def numbered(number: int) -> str:
    """A digest for each number."""
    return f"{number:064x}"
