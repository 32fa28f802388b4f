"""SIGKILL at every write, sync, rename, link and unlink: what was acknowledged stays, what was not leaves nothing."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import SIGKILL

import pytest
from tests.core import faults
from tests.core.faults import (
    CALLS,
    CALLS_OF_EACH_KIND,
    SYSTEM_CALLS,
    Children,
    Fault,
    Job,
    Outcome,
    open_registry,
    parts,
    tracing,
)

KEPT = {"kept:1.0.0", "kept:2.0.0"}
DOOMED = "doomed:1.0.0"


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is one: a kill spares what the kernel holds, so no case need wait for a disk."""
    within = Path("/dev/shm")
    if os.access(within, os.W_OK):
        with tempfile.TemporaryDirectory(dir=within) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("crashes")


@pytest.fixture(scope="module")
def base(memory: Path) -> Path:
    """A registry with two versions to keep, one to remove, and something for garbage collection to do."""
    path = memory / "base"
    registry = open_registry(path)
    for reference in (*sorted(KEPT), DOOMED, "removed:1.0.0"):
        name, _, version = reference.partition(":")
        registry.register_model(name, parts(reference), "custom", version=version, label=reference)
    registry.remove_model("removed")
    with Children() as children:
        assert children.run(Job("die_in_stage", (path,))).signal == SIGKILL
    return path


def job(operation: str, path: Path) -> Job:
    return {
        "register": Job("register", (path, "new", "1.0.0", "new")),
        "register with a loader": Job("register", (path, "new", "1.0.0", "new", "loader")),
        "remove": Job("remove", (path, "doomed", "1.0.0", False)),
        "collect": Job("collect", (path,)),
    }[operation]


OPERATIONS = ("register", "register with a loader", "remove", "collect")


def struck(children: Children, base: Path, operation: str, fault: Fault) -> Outcome:
    """Let the fault strike the operation on a fresh copy of the registry, and see what is left."""
    path = base.with_name("struck")
    shutil.copytree(base, path)
    outcome = children.run(job(operation, path).with_fault(fault))
    assert outcome.acknowledged or outcome.signal == SIGKILL, outcome
    expected = KEPT | ({DOOMED} if operation != "remove" else set())
    if operation.startswith("register") and outcome.acknowledged:
        expected |= {"new:1.0.0"}
    found = faults.assert_sound(path, expected)
    assert found <= KEPT | {DOOMED, "new:1.0.0"}
    assert not (operation == "remove" and outcome.acknowledged and DOOMED in found)
    faults.assert_nothing_unused(path)
    shutil.rmtree(path)
    return outcome


@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_call(children: Children, base: Path, operation: str) -> None:
    assert strikes(children, base, operation, CALLS) > 5


# SQLite writes without Python's knowledge, so strace kills where it may; elsewhere each kind of call gets a sweep.
@pytest.mark.parametrize("call", SYSTEM_CALLS if faults.strace_works() else CALLS_OF_EACH_KIND)
def test_killed_at_any_call_of_one_kind(base: Path, call: str) -> None:
    by = "strace" if faults.strace_works() else "python"
    step = 5 if call == "pwrite64" else 1  # there are so many
    with Children(tracing(call, "signal=SIGKILL") if by == "strace" else ()) as children:
        assert sum(strikes(children, base, operation, [call], by, step) for operation in OPERATIONS) > 0


def strikes(
    children: Children, base: Path, operation: str, calls: Sequence[str], by: str = "python", step: int = 1
) -> int:
    """Kill at the first call, at a later one, … until the operation comes through; returns how often it was killed."""
    for n in itertools.count():
        if struck(children, base, operation, Fault(by, "kill", 1 + n * step, calls)).acknowledged:
            return n
    raise AssertionError


@pytest.mark.parametrize("nth", range(1, 30))
def test_killed_while_the_registry_is_made(children: Children, tmp_path: Path, nth: int) -> None:
    path = tmp_path / "new"
    children.run(Job("create", (path,), Fault("python", "kill", nth, CALLS)))
    assert children.run(Job("register", (path, "new", "1.0.0", "new"))).result == "1.0.0"
    assert faults.assert_sound(path, {"new:1.0.0"}) == {"new:1.0.0"}
    faults.assert_nothing_unused(path)


def test_what_is_acknowledged_was_synced_before(children: Children, base: Path, tmp_path: Path) -> None:
    """A kill spares what the kernel holds; a power cut does not. So every file and every folder entry of a version must
    have been forced to the disk before the catalog's commit began."""
    path = tmp_path / "registry"
    shutil.copytree(base, path)
    outcome = children.run(Job("register", (path, "new", "1.0.0", "new"), record=True))
    assert outcome.acknowledged, outcome
    events = outcome.events[: outcome.events.index(["commit"])]
    placed = [(n, event) for n, event in enumerate(events) if event[0] == "rename"]
    assert placed
    for n, (_, source, target) in placed:
        assert ["fsync", source] in events[:n], f"{source} was not synced before it became a blob"
        assert ["fsync", str(Path(target).parent)] in events[n:], f"the entry of {target} was not synced"


def test_a_new_registry_is_synced_up_to_the_folder_that_holds_it(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "registry"
    outcome = children.run(Job("create", (path,), record=True))
    assert outcome.acknowledged, outcome
    for n, event in enumerate(outcome.events):
        if event[0] in {"link", "mkdir"}:
            new = Path(event[2 if event[0] == "link" else 1])
            assert ["fsync", str(new.parent)] in outcome.events[n:], f"the entry of {new} was not synced"
