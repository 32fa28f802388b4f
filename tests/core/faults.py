"""Registries under fire: processes that are killed, disks that fail, and what must be true afterwards.

The processes are forks of one warm child per test session (:mod:`tests.core.faults_child`). Faults are injected by
wrapping the functions of ``os`` and, where strace works, into the system calls themselves, SQLite's included.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from tests.core.faults_child import (
    CALLS,
    CALLS_OF_EACH_KIND,
    STRIKES_AT,
    SYSTEM_CALLS,
    FolderLoader,
    Parts,
    data,
    open_registry,
    parts,
    register,
)

from model_registry import ModelRegistry

__all__ = [
    "CALLS",
    "CALLS_OF_EACH_KIND",
    "SYSTEM_CALLS",
    "FolderLoader",
    "Parts",
    "data",
    "open_registry",
    "parts",
    "register",
]


def packs(path: Path) -> set[str]:
    """The names of the packs of an archive."""
    folder = path / "archive"
    return {file.name for file in folder.iterdir() if file.name != "lock"} if folder.exists() else set()


_CHILD = Path(__file__).with_name("faults_child.py")


@frozen
class Fault:
    """What goes wrong: at the n-th call, counted over all calls named (Python) or in each thread (strace).

    :param kind: ``"kill"``, or the name of an error.
    """

    by: str
    kind: str
    nth: int
    calls: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        return {"by": self.by, "kind": self.kind, "nth": self.nth, "calls": list(self.calls), "call": self.calls[0]}


@frozen
class Job:
    """What one process does: a function ``do_<what>`` of the child, with arguments."""

    what: str
    args: tuple[Any, ...]
    fault: Fault | None = None
    record: bool = False

    def with_fault(self, fault: Fault) -> Job:
        return evolve(self, fault=fault)

    def as_json(self) -> dict[str, Any]:
        fault = self.fault and self.fault.as_json()
        return {
            "do": self.what,
            "args": [str(value) if isinstance(value, Path) else value for value in self.args],
            "fault": fault,
            "record": self.record,
        }


@frozen
class Outcome:
    """What became of a process: what it acknowledged, the error it raised, or the signal that killed it."""

    result: Any = None
    error: str = ""
    message: str = ""
    signal: int | None = None
    events: list[list[str]] = field(factory=list)

    @property
    def acknowledged(self) -> bool:
        return self.signal is None and not self.error


class Children:
    """The warm process. ``with Children() as children: children.run(Job(...))``."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._command = [*prefix, sys.executable, str(_CHILD)]

    def __enter__(self) -> Children:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, job: Job) -> Outcome:
        return self.race([job])[0]

    def race(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Run the jobs at once, one process each."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([job.as_json() for job in jobs]), file=self._process.stdin, flush=True)
        return [Outcome(**outcome) for outcome in json.loads(self._process.stdout.readline())]


def tracing(call: str, inject: str) -> list[str]:
    """The strace command that injects a fault into a system call."""
    inject = f"inject={call}:{inject}:when={STRIKES_AT}"
    # Not --seccomp-bpf, which is faster: strace 6.1 injects no signals with it.
    return ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]


@lru_cache(maxsize=1)
def strace_works() -> bool:
    """Whether strace is installed and may trace here, which containers often forbid."""
    if shutil.which("strace") is None:
        return False
    command = [*tracing("fsync", "error=EIO"), sys.executable, "-c", "print(6 * 7)"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "42"


def blobs_on_disk(path: Path) -> set[str]:
    return {file.name for file in (path / "blobs" / "sha256").iterdir()}


def staged(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "staging").iterdir())


def references(registry: ModelRegistry) -> set[str]:
    return {sha256 for sha256, _ in registry._context.catalog.references()}


def rows(registry: ModelRegistry, table: str) -> int:
    with registry._context.catalog._connections.reading() as db:
        count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def assert_sound(path: Path, expected: Iterable[str] = ()) -> set[str]:
    """The registry opens, validation is clean, and every version is complete; returns the versions there are.

    :param expected: Versions that must be there, ``name:version``.
    """
    registry = open_registry(path)
    report = registry.validate_registry(deep=True)
    assert report["errors"] == []
    assert report["warnings"] == []
    found = {entry.reference: entry for entry in registry.list_models()}
    assert set(expected) <= set(found)
    for entry in found.values():
        assert registry.load_model(entry.name, entry.version).model == parts(entry.metadata.extra["label"])
    return set(found)


def assert_nothing_unused(path: Path) -> None:
    """After collecting, the disk holds what is referenced and nothing else, and the books agree."""
    registry = open_registry(path)
    registry.collect_garbage(0)
    blobs = registry._context.blobs
    assert references(registry) <= blobs_on_disk(path) | set(blobs.archived())
    assert blobs_on_disk(path) <= references(registry) | blobs.pinned()
    assert staged(path) == []
    assert rows(registry, "leases") == rows(registry, "claims") == 0
    if not blobs.archived():
        sizes = sum(file.stat().st_size for file in (path / "blobs" / "sha256").iterdir())
        assert registry.get_detailed_stats()["stored_bytes"] == sizes
    assert registry.validate_registry()["findings"] == []
