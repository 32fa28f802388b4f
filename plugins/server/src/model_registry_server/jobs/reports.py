"""How far a task has come, told to the server a few times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from model_registry import ProgressReport

#: Seconds between two reports.
INTERVAL = 0.1


class Reports:
    """``with Reports(tell) as reports, registry.progress(reports):`` — tells the newest report, and never more often.

    Work is not held up: it leaves its report here, and a thread takes it from here. The last one is always told.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        self._tell = tell
        self._newest: ProgressReport | None = None
        self._told: ProgressReport | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell_sometimes, name="reports", daemon=True)

    def __call__(self, report: ProgressReport) -> None:
        self._newest = report

    def __enter__(self) -> Reports:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._tell_newest()

    def _tell_sometimes(self) -> None:
        while not self._over.wait(INTERVAL):
            self._tell_newest()

    def _tell_newest(self) -> None:
        newest = self._newest
        if newest is not None and newest is not self._told:
            self._told = newest
            self._tell(_document(newest))


def _document(report: ProgressReport) -> dict[str, Any]:
    return {
        "what": report.what,
        "bytes_done": report.bytes_done,
        "bytes_total": report.bytes_total,
        "items_done": report.items_done,
        "items_total": report.items_total,
    }
