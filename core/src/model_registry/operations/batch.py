"""Many at once: one that fails stops no other, and a report says what became of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from model_registry.bars import Bar, can_show
from model_registry.errors import InvalidOptionError
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of
from model_registry.operations.register import register
from model_registry.operations.remove import free, told
from model_registry.operations.selection import Selected, Where, select
from model_registry.progress import Listener, item_done
from model_registry.records import BatchFailure, BatchReport, ModelEntry

logger = logging.getLogger("model_registry")

#: True and False force a bar and none; None shows one if stderr is a terminal; or who is to be told.
ProgressChoice = bool | Listener | None

#: Versions that are removed in one transaction.
_PAGE = 500


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
        """Do it to one, or to as many as succeed or fail together. Only an interrupt stops all others."""
        try:
            yield
        except Exception as error:
            logger.info("%s: %s", what, error)
            self.failed.append(BatchFailure(what, error))
        item_done(count)

    def note(self, entries: Iterable[ModelEntry]) -> None:
        """They are done."""
        for entry in entries:
            self.done.append(entry)
            self.bytes += entry.size

    def report(self) -> BatchReport:
        return BatchReport(
            self.action,
            tuple(self.done),
            tuple(self.skipped),
            tuple(self.failed),
            self.bytes,
            time.monotonic() - self._begun,
            self.dry_run,
        )


@contextmanager
def showing(context: Context, progress: ProgressChoice) -> Iterator[None]:
    """Show how far the block has come to whoever wants to see it."""
    if callable(progress):
        with context.progress.listening(progress):
            yield
    elif progress or (progress is None and can_show()):
        with Bar(force=progress is True) as bar, context.progress.listening(bar):
            yield
    else:
        yield


def register_many(context: Context, items: Iterable[Mapping[str, Any]], progress: ProgressChoice) -> BatchReport:
    """See ``ModelRegistry.register_many``."""
    batch = Batch("registered")
    count = len(items) if isinstance(items, Sized) else None
    with showing(context, progress), context.progress.operation("registering", items_total=count):
        for number, item in enumerate(items, start=1):
            with batch.one(_called(item, number)):
                entry, is_new = register(context, **item)
                if is_new:
                    batch.note([entry])
                else:
                    batch.skipped.append(entry)
    return batch.report()


def _called(item: Any, number: int) -> str:
    """What an item is called in the report."""
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        return f"item {number}"
    version = item.get("version")
    return item["name"] if version is None else f"{item['name']}:{version}"


def remove_many(context: Context, where: Where, *, dry_run: bool, progress: ProgressChoice) -> BatchReport:
    """See ``ModelRegistry.remove_many``."""
    if isinstance(where, str) and not where.strip():
        raise InvalidOptionError(
            "removing without a condition would remove every version",
            hint="say which; all of them is: name like '%'",
            option="where",
        )
    batch = Batch("removed", dry_run)
    selected = select(context, where)
    with showing(context, progress), context.progress.operation("removing", items_total=len(selected)):
        for start in range(0, len(selected), _PAGE):
            page = selected[start : start + _PAGE]
            with batch.one(_range(page), len(page)):
                batch.note(_visible(context, page) if dry_run else _remove(context, page))
    return batch.report()


def _range(page: Sequence[Selected]) -> str:
    first, last = page[0].reference, page[-1].reference
    return first if len(page) == 1 else f"{len(page)} versions, {first} to {last}"


def _visible(context: Context, page: Iterable[Selected]) -> Iterator[ModelEntry]:
    for each in page:
        row = context.catalog.get(each.name, each.version)
        if row is not None and row.digest == each.digest:
            yield entry_of(context, row)


def _remove(context: Context, page: Sequence[Selected]) -> list[ModelEntry]:
    keep = context.settings.backup_enabled
    rows = context.catalog.remove_all([(each.name, each.version, each.digest) for each in page], keep=keep)
    if not keep:
        free(context, rows)
    return told(context, rows)
