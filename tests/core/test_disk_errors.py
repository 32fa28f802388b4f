"""Disks that fail or fill up: a clear error, nothing visible, nothing leaked, and the next registration works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.core import faults
from tests.core.faults import Children, Fault, Job, data, open_registry, parts, tracing

from model_registry import StorageError

BASE = "base:1.0.0"


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("errors") / "base"
    open_registry(path).register_model("base", parts(BASE), "custom", version="1.0.0", label=BASE)
    return path


def fails(children: Children, base: Path, tmp_path: Path, job: str, fault: Fault) -> bool:
    """Let one call of a registration fail, and see that nothing came of it. False once there is no such call."""
    path = tmp_path / f"{job}-{fault.nth}"
    shutil.copytree(base, path)
    outcome = children.run(Job("register", (path, "new", "1.0.0", "new", job), fault))
    if not outcome.acknowledged:
        assert outcome.error == "StorageError", outcome
        assert "nothing" in outcome.message
        assert faults.blobs_on_disk(path) == faults.blobs_on_disk(base)
        assert faults.staged(path) == []
    expected = {BASE, "new:1.0.0"} if outcome.acknowledged else {BASE}
    assert faults.assert_sound(path) == expected
    if not outcome.acknowledged:
        assert children.run(Job("register", (path, "new", "1.0.0", "new", job))).result == "1.0.0"
        assert faults.assert_sound(path) == {BASE, "new:1.0.0"}
    faults.assert_nothing_unused(path)
    return not outcome.acknowledged


@pytest.mark.parametrize("written_by", ["memory", "loader"])
@pytest.mark.parametrize(
    ("kind", "call"), [("EIO", "fsync"), ("EIO", "writev"), ("ENOSPC", "writev"), ("EIO", "rename")]
)
def test_a_call_that_fails_fails_the_registration(
    children: Children, base: Path, tmp_path: Path, kind: str, call: str, written_by: str
) -> None:
    nth = 1
    while fails(children, base, tmp_path, written_by, Fault("python", kind, nth, [call])):
        nth += 1
    assert nth > 1


@pytest.mark.parametrize(
    ("call", "error"), [("fdatasync", "EIO"), ("fsync", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EIO")]
)
def test_a_commit_that_fails_is_no_commit(base: Path, tmp_path: Path, call: str, error: str) -> None:
    """The same below SQLite, where strace may trace; elsewhere below Python once more."""
    traced = faults.strace_works()
    struck = 0
    with Children(tracing(call, f"error={error}") if traced else ()) as children:
        for nth in range(1, 26, 3 if call == "pwrite64" else 1):
            python = "fsync" if "sync" in call else "writev"
            fault = Fault("strace", "", nth, [call]) if traced else Fault("python", error, nth, [python])
            struck += fails(children, base, tmp_path, "memory", fault)
    assert struck


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 2 MiB where mounting is allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = (
        shutil.which("mount") is not None and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("written_by", ["memory", "loader"])
@pytest.mark.parametrize("pages", [*range(12), *range(12, 40, 2)])
def test_a_full_disk_fails_the_registration_and_nothing_else(
    children: Children, small_disk: Path, pages: int, written_by: str
) -> None:
    path, filler = small_disk / "registry", small_disk / "filler"
    open_registry(path).register_model("base", parts(BASE), "custom", version="1.0.0", label=BASE)
    before = faults.blobs_on_disk(path)
    job = Job("register_when_full", (path, filler, written_by))
    if small_disk.is_mount():
        fill(filler, leave=pages * 4096)
        outcome = children.run(job)
    else:
        outcome = children.run(job.with_fault(Fault("python", "ENOSPC", pages + 1, ["writev"])))
    assert outcome.acknowledged, outcome
    if left := outcome.result:
        assert re.search("No space left|full", left["message"])
        assert "free some space" in left["hint"]
        assert not left["visible"]
        assert set(left["blobs/sha256"]) == before
        assert left["staging"] == []
    assert faults.assert_sound(path) == {BASE, "new:1.0.0"}
    faults.assert_nothing_unused(path)


def fill(filler: Path, leave: int) -> None:
    state = os.statvfs(filler.parent)
    filler.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - leave)))


def test_a_commit_that_the_database_refuses_leaves_nothing(base: Path, tmp_path: Path) -> None:
    """SQLite's own limit on the size of a database makes it say that the disk is full, at the commit's last step."""
    path = tmp_path / "registry"
    shutil.copytree(base, path)
    registry = open_registry(path)
    with registry._context.catalog._connections.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full — free some space and try again; nothing was changed"):
        registry.register_model("new", parts("new"), "custom", label="new", description=data("new", 200_000).hex())
    assert faults.blobs_on_disk(path) == faults.blobs_on_disk(base)
    assert faults.staged(path) == []
    with registry._context.catalog._connections.reading() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    registry.register_model("new", parts("new"), "custom", version="1.0.0", label="new")
    assert faults.assert_sound(path) == {BASE, "new:1.0.0"}
    faults.assert_nothing_unused(path)
