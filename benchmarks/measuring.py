"""Measuring in pairs: ours and theirs in turn, so that a machine that drifts slows both; what counts is the ratio."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from attrs import frozen


@frozen
class Scale:
    """How much is measured.

    :param mebibytes: Of a large model.
    :param pairs: How often each ratio is taken.
    :param models: Small models, of a megabyte each.
    :param versions: At which sizes the catalog is measured, in ascending order.
    """

    mebibytes: int
    pairs: int
    models: int
    versions: tuple[int, ...]


FULL = Scale(1024, 5, 100, (1_000, 10_000, 100_000, 1_000_000))
QUICK = Scale(64, 3, 20, (1_000, 5_000))


@frozen
class Pairs:
    """What came out: the medians of the ratios of ours to theirs, and of the seconds of each."""

    ratio: float
    ours: float
    theirs: float


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alone(work: Callable[[], object]) -> float:
    """The same, once the disk is done with what was written before."""
    os.sync()
    return seconds(work)


def paired(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    pairs: int,
    *,
    after: Callable[[], object] = lambda: None,
) -> Pairs:
    """Time both in turn; who is first changes.

    :param after: Clears up after each pair; not timed.
    """
    times = []
    for number in range(pairs):
        if number % 2:
            second, first = alone(theirs), alone(ours)
            times.append((first, second))
        else:
            times.append((alone(ours), alone(theirs)))
        after()
    return Pairs(median(a / b for a, b in times), median(a for a, _ in times), median(b for _, b in times))


def typical(work: Callable[[], object], times: int = 30) -> float:
    """Median seconds of one call among many, after one that does not count."""
    work()
    return median(seconds(work) for _ in range(times))


def cpu_seconds(command: list[str], runs: int = 9) -> float:
    """Median CPU time (user and system) of a whole process."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return median(once() for _ in range(runs))


def python(code: str, *arguments: object) -> str:
    """What a fresh Python process prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def disk_bytes(folder: Path) -> int:
    """Bytes that a folder's files take, as the file system counts them."""
    return sum(Path(root, name).stat().st_blocks * 512 for root, _, names in os.walk(folder) for name in names)


def sync(path: Path) -> None:
    """Force a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@contextmanager
def counted_syncs() -> Iterator[Mapping[str, int]]:
    """How many files this process forces to the disk meanwhile. SQLite's own are not among them."""
    count = {"fsync": 0}
    real = os.fsync

    def fsync(descriptor: int) -> None:
        count["fsync"] += 1
        real(descriptor)

    os.fsync = fsync
    try:
        yield count
    finally:
        os.fsync = real


@contextmanager
def scratch(folder: Path | None) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with TemporaryDirectory(dir=folder, prefix="model_registry-bench-") as name:
        yield Path(name)
