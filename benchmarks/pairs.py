"""Timing in pairs: ours and theirs in turn, so that a machine that drifts slows both; what counts is the ratio."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass
class Row:
    """One line of the table: what was measured, the figure, and the target it has to reach."""

    what: str
    figure: str
    target: str
    reached: bool


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(ours: Callable[[], object], theirs: Callable[[], object], pairs: int = 5) -> tuple[float, float, float]:
    """(median ratio ours / theirs pair by pair, median seconds of ours, of theirs)."""
    times = [(seconds(ours), seconds(theirs)) for _ in range(pairs)]
    return median(a / b for a, b in times), median(a for a, _ in times), median(b for _, b in times)


def cpu_seconds(command: list[str], runs: int = 9) -> float:
    """Median CPU time (user and system) of a whole process."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return median(once() for _ in range(runs))


def python(code: str, *arguments: str) -> str:
    """What a fresh Python process prints."""
    return subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True).stdout


def disk_bytes(folder: str) -> int:
    """Bytes that a folder's files take, as the file system counts them."""
    return sum(Path(root, name).stat().st_blocks * 512 for root, _, names in os.walk(folder) for name in names)


def markdown(rows: list[Row]) -> str:
    """The table."""
    lines = ["| what | figure | target | |", "|---|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| {r.what} | {r.figure} | {r.target} | {'✓' if r.reached else 'short'} |" for r in rows)]
    )
