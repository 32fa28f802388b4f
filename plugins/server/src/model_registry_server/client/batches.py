"""Many at once: one that fails stops no other, unless the server is away; and a report says what became of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from model_registry import BatchFailure, BatchReport, ModelEntry, remotes
from model_registry_server.client.errors import UnreachableError

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
            self._fail(what, error)
        remotes.item_done(count)

    def each(self, entries: Sequence[ModelEntry], do: Callable[[ModelEntry], object]) -> bool:
        """Do it to one after another. Those that are left when a server cannot be reached fail together: waiting for it
        anew with each would take long, and tell the same of each.

        :returns: Whether all were tried.
        """
        for index, entry in enumerate(entries):
            try:
                do(entry)
            except UnreachableError as error:
                left = entries[index:]
                self._fail(_range(left), error)
                remotes.item_done(len(left))
                return False
            except Exception as error:
                self._fail(entry.reference, error)
            remotes.item_done()
        return True

    def note(self, entry: ModelEntry, size: int | None = None) -> None:
        """It is done."""
        self.done.append(entry)
        self.bytes += entry.size if size is None else size

    def report(self) -> BatchReport:
        """What became of all."""
        seconds = time.monotonic() - self._begun
        done, skipped, failed = tuple(self.done), tuple(self.skipped), tuple(self.failed)
        return BatchReport(self.action, done, skipped, failed, self.bytes, seconds, self.dry_run)

    def _fail(self, what: str, error: Exception) -> None:
        logger.info("%s: %s", what, error)
        self.failed.append(BatchFailure(what, error))


def _range(entries: Sequence[ModelEntry]) -> str:
    first, last = entries[0].reference, entries[-1].reference
    return first if len(entries) == 1 else f"{len(entries)} versions, {first} to {last}"


def called(item: Any, number: int) -> str:
    """What an item is called in the report."""
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        return f"item {number}"
    version = item.get("version")
    return item["name"] if version is None else f"{item['name']}:{version}"
