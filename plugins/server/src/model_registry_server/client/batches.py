"""Many at once: one that fails stops no other, and a report says what became of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from model_registry import BatchFailure, BatchReport, ModelEntry, remotes

logger = logging.getLogger("model_registry")

#: A query, as for ``search``, or versions: ``"name:version"``, ``"name@alias"`` or entries.
Where = str | Iterable[str | ModelEntry]


@define
class Batch:
    """A report in the making."""

    action: str
    dry_run: bool = False
    done: list[ModelEntry] = field(factory=list)
    skipped: list[ModelEntry] = field(factory=list)
    failed: list[BatchFailure] = field(factory=list)
    bytes: int = 0
    _begun: float = field(factory=time.monotonic)

    @contextmanager
    def one(self, what: str, count: int = 1) -> Iterator[None]:
        """Do it to one. Only an interrupt stops all others."""
        try:
            yield
        except Exception as error:
            logger.info("%s: %s", what, error)
            self.failed.append(BatchFailure(what, error))
        remotes.item_done(count)

    def note(self, entry: ModelEntry, size: int | None = None) -> None:
        """It is done."""
        self.done.append(entry)
        self.bytes += entry.size if size is None else size

    def report(self) -> BatchReport:
        """What became of all."""
        seconds = time.monotonic() - self._begun
        done, skipped, failed = tuple(self.done), tuple(self.skipped), tuple(self.failed)
        return BatchReport(self.action, done, skipped, failed, self.bytes, seconds, self.dry_run)


def called(item: Any, number: int) -> str:
    """What an item is called in the report."""
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        return f"item {number}"
    version = item.get("version")
    return item["name"] if version is None else f"{item['name']}:{version}"
