"""What long work tells while it goes on: nothing, and at next to no cost, unless somebody listens.

Whatever hashes, copies or verifies calls :func:`advance`. That finds the operation it belongs to by a context variable,
which the threads of :mod:`model_registry.workers` inherit: nothing has to be handed down to blob stores and plugins,
and operations that go on at once in several threads are not mixed up. An operation within another is a part of it.

::

    with context.progress.operation("comparing", bytes_total=2 * size):
        with part(size):  # however its bytes are read, and even if they need not be: it counts as so many
            sha256_of_file(path)
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from model_registry.records import ProgressReport

logger = logging.getLogger("model_registry")

Listener = Callable[[ProgressReport], object]
#: How much there is to do; what costs something to find out is found out only if somebody listens.
Total = int | Callable[[], int | None] | None

#: Seconds between two reports of one operation, but for the last.
INTERVAL = 0.05

_numbers = itertools.count(1)


class Progress:
    """The operations of one registry, and who listens to them."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._changing = threading.Lock()
        self._telling = threading.Lock()

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Tell ``listener`` of every operation that begins while the block lasts."""
        with self._changing:
            self._listeners += (listener,)
        try:
            yield
        finally:
            with self._changing:
                index = self._listeners.index(listener)
                self._listeners = self._listeners[:index] + self._listeners[index + 1 :]

    @contextmanager
    def operation(self, what: str, *, bytes_total: Total = None, items_total: Total = None) -> Iterator[None]:
        """What the block does, in this thread and in those that it makes work, is one operation.

        :param what: For people: ``validating``, ``loading m:1.0.0``.
        :param bytes_total: Bytes that will be advanced, as far as they can be known.
        :param items_total: Items, likewise; see :func:`item_done`.
        """
        outer = _current.get()
        if outer is not None:
            counter: _Counter = _Inner(outer)
        elif self._listeners:
            counter = _Operation(self, what, _known(bytes_total), _known(items_total))
        else:
            yield
            return
        with counter:
            yield

    def _tell(self, report: Callable[[], ProgressReport], *, wait: bool) -> None:
        """Call the listeners one after the other, never two at once; a thread that comes meanwhile need not wait."""
        if self._telling.acquire(blocking=wait):
            try:
                for listener in self._listeners:
                    listener(report())
            finally:
                self._telling.release()


def advance(count: int) -> None:
    """So many bytes more are done."""
    counter = _current.get()
    if counter is not None:
        counter.advance(count)


def item_done(count: int = 1) -> None:
    """So many items more of the operation are done."""
    counter = _current.get()
    if counter is not None:
        counter.item_done(count)


def is_heard() -> bool:
    """Whether somebody listens to what is going on here."""
    return _current.get() is not None


def progress_here() -> Callable[[int], None] | None:
    """What counts bytes for the operation that goes on here, from any thread; None if nobody listens."""
    counter = _current.get()
    return None if counter is None else counter.advance


def part(size: int, passes: int = 1) -> AbstractContextManager[object]:
    """A part of the operation that counts for ``size`` bytes, no more and, if it succeeds, no less. Of one thread.

    :param passes: How often its bytes are gone over: each time counts for its share.
    """
    outer = _current.get()
    return _NOTHING if outer is None else _Part(outer, size, passes)


def aside() -> AbstractContextManager[object]:
    """What the block does counts for nothing: its bytes were counted before."""
    return _NOTHING if _current.get() is None else _Counter()


_NOTHING = nullcontext()


class _Counter:
    """Where bytes are counted while it is entered. This one forgets them."""

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._token)
        self.end(failed=kind is not None)

    def advance(self, count: int) -> None: ...

    def item_done(self, count: int) -> None: ...

    def end(self, *, failed: bool) -> None: ...


_current: ContextVar[_Counter | None] = ContextVar("model_registry_operation", default=None)


class _Operation(_Counter):
    """Counts for everybody who listens. Used by any number of threads at once."""

    def __init__(self, progress: Progress, what: str, bytes_total: int | None, items_total: int | None) -> None:
        self._progress = progress
        self._what = what
        self._number = next(_numbers)
        self._totals = bytes_total, items_total
        self._bytes = self._items = 0
        self._counting = threading.Lock()
        self._next = 0.0
        self._tell()

    def advance(self, count: int) -> None:
        with self._counting:
            self._bytes += count
        self._tell()

    def item_done(self, count: int) -> None:
        with self._counting:
            self._items += count
        self._tell()

    def end(self, *, failed: bool) -> None:
        if not failed:
            self._settle()
        try:
            self._progress._tell(lambda: self._report(finished=True), wait=True)
        except Exception:  # the work is done: it must not look as if it had failed
            logger.warning("a listener failed when it was told that %s had ended", self._what, exc_info=True)

    def _settle(self) -> None:
        """What was expected and need not be done is no part of the whole."""
        bytes_total, items_total = self._totals
        self._totals = bytes_total and self._bytes, items_total and self._items

    def _tell(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + INTERVAL
            self._progress._tell(self._report, wait=False)

    def _report(self, *, finished: bool = False) -> ProgressReport:
        bytes_total, items_total = self._totals
        with self._counting:
            done, items = self._bytes, self._items
        return ProgressReport(
            self._what,
            bytes_done=done,
            bytes_total=None if bytes_total is None else max(bytes_total, done),
            items_done=items,
            items_total=None if items_total is None else max(items_total, items),
            operation=self._number,
            finished=finished,
        )


class _Inner(_Counter):
    """An operation within another: its bytes are the other's, its items its own affair."""

    def __init__(self, outer: _Counter) -> None:
        self._outer = outer

    def advance(self, count: int) -> None:
        self._outer.advance(count)


class _Part(_Counter):
    """See :func:`part`."""

    def __init__(self, outer: _Counter, size: int, passes: int) -> None:
        self._outer = outer
        self._size = size
        self._passes = passes
        self._seen = self._given = 0

    def advance(self, count: int) -> None:
        self._seen += count
        self._give(min(self._seen // self._passes, self._size))

    def item_done(self, count: int) -> None:
        self._outer.item_done(count)

    def end(self, *, failed: bool) -> None:
        if not failed:
            self._give(self._size)

    def _give(self, due: int) -> None:
        count, self._given = due - self._given, due
        if count:
            self._outer.advance(count)


def _known(total: Total) -> int | None:
    return total() if callable(total) else total
