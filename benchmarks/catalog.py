"""A catalog that grows: what is asked of it most, at each size.

The rows are written by the catalog's own code, with its triggers and indexes, in large transactions; the blobs that
they name are not there, as nothing here reads one. A version has two metrics, two tags, five blobs of its own, and one
that all share.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from measuring import Scale, disk_bytes, typical
from models import small_modules
from table import Row, milliseconds

from model_registry import ModelRegistry
from model_registry.catalog import VersionRow
from model_registry.catalog.inserting import insert

TITLE = "Many versions"
SEARCH = "metrics.accuracy >= 0.97 and tags = 'nightly' and name like 'team/model-1%' order by metrics.accuracy desc"
_PAGE = 50
_VERSIONS = 100  # of each model
_BATCH = 20_000

#: Medians of seconds by what was asked, for each number of versions.
Curves = dict[str, dict[int, float]]


def measure(folder: Path, scale: Scale, curves: Curves) -> Iterator[Row]:
    """:param curves: Gets what was measured at each size."""
    registry = ModelRegistry(folder / "grown", backup_enabled=False)
    make = Rows(document(folder))
    done = 0
    for size in scale.versions:
        grow(registry, make, done, size)
        done = size
        asked = _questions(registry, size)
        for what, ask in asked.items():
            curves.setdefault(what, {})[size] = typical(ask)
        if size == scale.versions[min(2, len(scale.versions) - 1)]:
            yield from _rows(curves, size)
            each = disk_bytes(folder / "grown") / size
            yield Row(f"{size:,} versions: the catalog, for each", f"{each:.0f} B", "≤ 1024 B", each <= 1024)
    if len(scale.versions) > 1:
        yield milliseconds(f"{size:,} versions: a filtered page of {_PAGE}", curves["filtered page"][size], 10)
        yield milliseconds(f"{size:,} versions: search with three terms", curves["search"][size])


def _questions(registry: ModelRegistry, size: int) -> dict[str, Callable[[], object]]:
    catalog = registry._context.catalog
    name = f"team/model-{size // _VERSIONS // 2}"
    middle = (name, "1.0.50")
    page = {"model_type": "vision", "after": middle, "limit": _PAGE}
    return {
        "get": partial(registry.resolve, name, "1.0.7"),
        "get, catalog": partial(catalog.get, name, "1.0.7"),
        "latest": partial(registry.resolve, name),
        "latest, catalog": partial(catalog.latest, name),
        "filtered page": partial(registry.list_models, **page),
        "filtered page, catalog": partial(catalog.versions, **page),
        "first page": partial(registry.list_models, limit=_PAGE),
        "search": partial(registry.search, SEARCH, limit=_PAGE),
    }


def _rows(curves: Curves, size: int) -> Iterator[Row]:
    for what, title in (("get", "get"), ("latest", "latest"), ("filtered page", f"a filtered page of {_PAGE}")):
        yield milliseconds(f"{size:,} versions: {title}, in the catalog", curves[f"{what}, catalog"][size], 0.5)
        yield milliseconds("… through the API", curves[what][size], 2)
    yield milliseconds(f"{size:,} versions: list, the first {_PAGE}", curves["first page"][size], 5)
    yield milliseconds(f"{size:,} versions: search with three terms, the first {_PAGE}", curves["search"][size], 30)


def grow(registry: ModelRegistry, make: Rows, start: int, stop: int) -> None:
    """Add the versions of these numbers."""
    connections = registry._context.catalog._connections
    for batch in range(start, stop, _BATCH):
        with connections.writing(durable=False) as db:
            for number in range(batch, min(batch + _BATCH, stop)):
                insert(db, make(number))
    with connections.reading() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def document(folder: Path) -> dict[str, Any]:
    """The metadata document of a version as registering writes it."""
    registry = ModelRegistry(folder / "template", backup_enabled=False)
    registry.register_model("m", small_modules(1)[0], "pytorch", author="ada", description="trained on week 1")
    row = registry._context.catalog.get("m", "1.0.0")
    assert row is not None
    found: dict[str, Any] = json.loads(row.metadata)
    return found


class Rows:
    """Versions by number, always the same.

    :param document: Of a version like them.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._chance = random.Random(0)  # noqa: S311  # nothing secret
        self._shared = sha256(b"environment").hexdigest()

    def __call__(self, number: int) -> VersionRow:
        chance = self._chance
        name, version = f"team/model-{number // _VERSIONS}", f"1.0.{number % _VERSIONS}"
        metrics = {"accuracy": round(chance.uniform(0.5, 1), 4), "loss": round(chance.uniform(0, 2), 4)}
        labels = ("nightly" if number % 3 else "release", f"run-{number % 1000}")
        kind = ("vision", "text", "audio", "custom")[number % 4]
        size = 4_000_000 + number
        self._document["metadata"] |= {
            "name": name, "version": version, "model_type": kind, "tags": list(labels), "performance_metrics": metrics,
            "description": f"trained on the data of week {number % 52}", "author": f"user{number % 40}",
            "parameters_count": 1_000_000 + number,
        }  # fmt: skip
        digests = [sha256(b"%d %d" % (number, part)).hexdigest() for part in range(5)]
        weights, record, config, manifest, origin = digests
        return VersionRow(
            name, version, manifest, "pytorch", kind, size,
            json.dumps(self._document, sort_keys=True, separators=(",", ":")),
            1_700_000_000_000_000 + number * 1_000_000,
            blobs=((weights, size, "model.safetensors"), (record, 900, ""), (config, 600, ""), (manifest, 1200, ""),
                   (origin, 800, ""), (self._shared, 1000, "")),
            metrics=metrics, labels=labels,
        )  # fmt: skip
