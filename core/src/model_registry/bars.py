"""A bar on stderr that shows how far long work has come: bytes, rate, and how long it may still take.

It appears only when the work has taken a moment, and leaves nothing behind. Only then is rich imported, which draws it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from model_registry.progress import INTERVAL
from model_registry.records import ProgressReport

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

#: Seconds that work takes before it is worth a bar.
DELAY = 0.3
#: Seconds over which the rate is measured: it follows what happens, and does not jump.
_WINDOW = 5.0
#: Columns of a terminal that the words beside the bar take: they come first.
_WORDS = 75


def can_show() -> bool:
    """Whether somebody sits in front of stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


class Bar:
    """A listener that shows what it is told. ``with Bar() as bar, registry.progress(bar):``

    :param text: What is being done; left out: what the operation says.
    :param force: Show it even if stderr is no terminal.
    """

    def __init__(self, text: str = "", *, force: bool = False) -> None:
        self._text = text
        self._force = force
        self._report = ProgressReport(text)
        self._samples: deque[tuple[float, int]] = deque(maxlen=int(_WINDOW / INTERVAL))
        self._showing = threading.Lock()
        self._over = False
        self._live: Live | None = None

    def __enter__(self) -> Bar:
        # It moves by itself: work of which nothing can be known must not look dead.
        self._timer = threading.Timer(DELAY, self._show)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._showing:
            self._over = True
            if self._live is not None:
                self._live.stop()

    def __call__(self, report: ProgressReport) -> None:
        if report.operation != self._report.operation:
            self._samples.clear()
        self._samples.append((time.monotonic(), report.bytes_done))
        self._report = report

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots")
        console = Console(stderr=True, force_terminal=self._force or None, highlight=False, markup=False, emoji=False)
        self._width = max(0, min(30, console.width - _WORDS))
        live = Live(
            console=console,
            get_renderable=self._drawing,
            transient=True,
            refresh_per_second=10,
            redirect_stdout=False,  # what is written there may go elsewhere
        )
        with self._showing:
            if not self._over:
                self._live = live
                live.start()

    def _drawing(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        report = self._report
        line = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [self._spinner, Text(self._title(report), no_wrap=True, overflow="ellipsis")]
        done, total = _measure(report)
        if total:
            cells += [ProgressBar(total, done, width=self._width)] if self._width else []
            cells.append(Text(f"{100 * done // total:3d}%", no_wrap=True))
        cells.append(Text("  ".join(self._amounts(report)), style="dim", no_wrap=True))
        line.add_row(*cells)
        return line

    def _title(self, report: ProgressReport) -> str:
        title = self._text or f"{report.what} …"
        return "".join(character if character.isprintable() else "?" for character in title)

    def _amounts(self, report: ProgressReport) -> list[str]:
        amounts = []
        if report.items_total is not None and (report.items_total > 1 or not report.bytes_done):
            amounts.append(f"{report.items_done:,} / {report.items_total:,}")
        elif report.items_done:
            amounts.append(f"{report.items_done:,}")
        if report.bytes_done:
            amounts.append(_of(report.bytes_done, report.bytes_total))
            amounts += self._speed(report)
        return amounts

    def _speed(self, report: ProgressReport) -> list[str]:
        """The rate, and the time that is left if it stays."""
        samples = list(self._samples)
        seconds = samples[-1][0] - samples[0][0] if samples else 0
        count = samples[-1][1] - samples[0][1] if seconds else 0
        if count <= 0:
            return []
        rate = count / seconds
        if report.bytes_total is None:
            return [f"{_size(rate)}/s"]
        left = round((report.bytes_total - report.bytes_done) / rate)
        return [f"{_size(rate)}/s", f"{left // 60}:{left % 60:02d} left"]


def _measure(report: ProgressReport) -> tuple[int, int | None]:
    """What the length of the bar shows: bytes if they are known, else items."""
    if report.bytes_total:
        return report.bytes_done, report.bytes_total
    return report.items_done, report.items_total


def _of(done: int, total: int | None) -> str:
    return _size(done) if total is None else f"{_size(done)} / {_size(total)}"


def _size(count: float) -> str:
    from rich.filesize import decimal

    return decimal(int(count))
