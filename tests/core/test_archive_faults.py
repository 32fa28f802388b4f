"""Archiving under fire: killed anywhere, on disks that fail, and beside registrations, removals and collections."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
from tests.core import faults
from tests.core.faults import CALLS, SYSTEM_CALLS, Children, Fault, Job, open_registry, parts, tracing

VERSIONS = {f"m:{n}.0" for n in range(1, 5)}
JOBS = {
    "archive": ("archive", ("m", 1)),
    "archive all": ("archive", ("m", 0)),
    "restore hot": ("restore_hot", ("m", "1.0")),
    "load": ("load", ("m", "2.0")),
    "collect": ("collect", ()),
}


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A registry before each job: four versions; archived, where that is what the job needs."""
    found = {}
    for name in JOBS:
        path = found[name] = tmp_path_factory.mktemp("archives") / name.replace(" ", "-")
        registry = open_registry(path)
        for n in range(1, 5):
            registry.register_model("m", parts(f"v{n}"), "custom", version=f"{n}.0", label=f"v{n}")
        if not name.startswith("archive"):
            registry.archive("m", keep=0)
        if name == "collect":
            registry.register_model("gone", parts("gone"), "custom", label="gone")
            registry.archive("gone", keep=0)
            registry.remove_model("gone")
    return found


def struck(children: Children, base: Path, name: str, fault: Fault) -> bool:
    """Let the fault strike the job on a copy; False once it came through."""
    path = base.with_name("struck")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(base, path)
    what, args = JOBS[name]
    outcome = children.run(Job(what, (path, *args), fault))
    assert outcome.acknowledged or outcome.signal == SIGKILL or outcome.error == "StorageError", outcome
    faults.assert_nothing_unused(path)
    assert children.run(Job(what, (path, *args))).acknowledged
    assert faults.assert_sound(path, VERSIONS) == VERSIONS
    return not outcome.acknowledged


def strikes(children: Children, base: Path, name: str, calls: list[str], kind: str, by: str, step: int = 1) -> int:
    for n in itertools.count():
        if not struck(children, base, name, Fault(by, kind, 1 + n * step, calls)):
            return n
    raise AssertionError


@pytest.mark.parametrize("name", JOBS)
def test_killed_at_any_call(children: Children, bases: dict[str, Path], name: str) -> None:
    assert strikes(children, bases[name], name, list(CALLS), "kill", "python", 3 if "archive" in name else 2) > 3


@pytest.mark.skipif(not faults.strace_works(), reason="strace may not trace here")
@pytest.mark.parametrize("call", sorted(set(SYSTEM_CALLS) - {"pwrite64", "mkdir", "chmod"}))
def test_killed_at_any_system_call(bases: dict[str, Path], call: str) -> None:
    with Children(tracing(call, "signal=SIGKILL")) as children:
        strikes(children, bases["archive"], "archive", [call], "kill", "strace", 2)


@pytest.mark.parametrize("name", ["archive", "restore hot", "load", "collect"])
@pytest.mark.parametrize(
    ("kind", "call"), [("EIO", "fsync"), ("ENOSPC", "writev"), ("EIO", "rename"), ("EIO", "unlink")]
)
def test_a_call_that_fails_loses_nothing(
    children: Children, bases: dict[str, Path], name: str, kind: str, call: str
) -> None:
    strikes(children, bases[name], name, [call], kind, "python", 2)


def test_everything_at_once_loses_nothing(children: Children, tmp_path: Path) -> None:
    actions = ["archive", "archive", "restore hot"]
    outcomes = children.race(Job("churn", (tmp_path, worker, 5.0, actions)) for worker in range(4))
    assert {outcome.error + outcome.message for outcome in outcomes} == {""}
    kept = {reference for outcome in outcomes for reference in outcome.result}
    assert len(kept) > 5
    faults.assert_sound(tmp_path, kept)
    faults.assert_nothing_unused(tmp_path)


def test_a_pack_is_on_the_disk_before_anything_goes(children: Children, bases: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "registry"
    shutil.copytree(bases["archive"], path)
    outcome = children.run(Job("archive", (path, "m", 1), record=True))
    assert outcome.acknowledged, outcome
    events = outcome.events
    published = [(n, event) for n, event in enumerate(events) if event[0] == "rename" and "/archive/" in event[2]]
    dropped = [n for n, event in enumerate(events) if event[0] == "unlink" and "/blobs/" in event[1]]
    assert published
    assert dropped
    for n, (_, source, target) in published:
        assert ["fsync", source] in events[:n], f"{source} was not synced before it became a pack"
        assert ["fsync", str(Path(target).parent)] in events[n : min(d for d in dropped if d > n)]
