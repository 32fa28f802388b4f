"""The child's side of :mod:`tests.core.faults`: a warm process that forks, and breaks what it forked.

Every case runs in a fork of this process, which has imported everything and started no thread: a case costs
milliseconds. A case is a list of jobs, one process each, begun at once. Lines of JSON come in on standard input and the
outcomes go out on standard output.
"""

from __future__ import annotations

import errno
import gc
import itertools
import json
import os
import random
import select
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from archiver import Archiver

from model_registry import ModelFormat, ModelLoader, ModelRegistry, hookimpl, workers
from model_registry.catalog.sqlite import SqliteCatalog
from model_registry.errors import ModelRegistryError, StorageError, VersionExistsError, VersionNotFoundError
from model_registry.operations import lease as registration

#: The functions of ``os`` that change a disk.
CALLS = (
    "write",
    "writev",
    "fsync",
    "rename",
    "replace",
    "link",
    "unlink",
    "remove",
    "rmdir",
    "mkdir",
    "chmod",
)
#: Those that registering, removing and collecting make.
CALLS_OF_EACH_KIND = ("writev", "fsync", "rename", "unlink", "rmdir", "mkdir", "chmod")
#: The system calls that they and SQLite make in the main thread.
SYSTEM_CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "unlink", "unlinkat", "mkdir", "chmod")
#: A fault that strace injects strikes each thread when it makes a call for this time.
STRIKES_AT = 600

Parts = dict[str, bytes]


def parts(label: str) -> Parts:
    """A model of several files: of its own, in a folder, and shared with every other model."""
    return {
        "own.bin": data(label, 3_000),
        "deep/own.bin": data(f"{label}, deeper", 500),
        "shared.bin": data("shared", 2_000),
        f"shared-{len(label) % 3}.bin": data(f"shared {len(label) % 3}", 1_000),
    }


def data(label: str, size: int) -> bytes:
    return random.Random(label).randbytes(size)


class FolderLoader(ModelLoader):
    """A custom loader that writes several files itself."""

    def save(self, model: Parts, model_path: str) -> None:
        for path, content in model.items():
            file = Path(model_path, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def load(self, model_path: str) -> Parts:
        root = Path(model_path)
        return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


class FromMemory:
    """Gives the parts as buffers instead: bytes that the registry holds already are not written again."""

    @hookimpl(tryfirst=True)
    def save(self, request: Any, stage: Any) -> bool | None:
        if not isinstance(request.model, dict):
            return None
        for path, content in request.model.items():
            stage.add(path, content)
        return True


def open_registry(path: Path | str, *, written_by: str = "memory", **config: Any) -> ModelRegistry:
    """A registry that keeps parts: as a custom loader's files, or from memory."""
    registry = ModelRegistry(path, **config)
    registry.loaders[ModelFormat.CUSTOM] = FolderLoader()
    if written_by == "memory":
        # The last one registered is asked first. Installing a distribution for this would tell nothing more.
        registry._context.plugins._manager.register(FromMemory())
    registry._context.plugins._manager.register(Archiver())
    return registry


def register(registry: ModelRegistry, name: str, version: str | None, label: str) -> str:
    return registry.register_model(name, parts(label), ModelFormat.CUSTOM, version=version, label=label).version


# What the jobs do. The first argument is the registry's path; the result is what was acknowledged.


def do_nothing(path: str) -> None:
    """A process that came and went."""


def do_create(path: str) -> None:
    open_registry(path)


def do_register(path: str, name: str, version: str | None, label: str, written_by: str = "memory") -> str:
    return register(open_registry(path, written_by=written_by), name, version, label)


def do_register_when_full(path: str, filler: str, written_by: str) -> dict[str, Any]:
    """Register on a full disk, make room, and register again; returns what the failure told and left."""
    registry = open_registry(path, written_by=written_by)
    try:
        register(registry, "new", "1.0.0", "new")
        return {}
    except StorageError as error:
        left = {"message": error.message, "hint": error.hint, "visible": registry.get_model_info("new") is not None}
    for folder in ("blobs/sha256", "staging"):
        left[folder] = os.listdir(Path(path, folder))
    Path(filler).unlink(missing_ok=True)
    register(registry, "new", "1.0.0", "new")
    return left


def do_register_many(path: str, name: str, count: int, label: str) -> list[str]:
    registry = open_registry(path)
    return [register(registry, name, None, f"{label} {n}") for n in range(count)]


def do_copy(path: str, target: str) -> dict[str, Any]:
    """Copy all versions; returns what became of each, and how many bytes of the source's blobs were read."""
    read, readv = [0], os.readv

    def counting(descriptor: int, buffers: list[memoryview]) -> int:
        count = readv(descriptor, buffers)
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(f"{path}/blobs/"):
            read[0] += count
        return count

    os.readv = counting
    report = open_registry(path).copy_versions(open_registry(target), progress=False)
    told = {what: [entry.reference for entry in getattr(report, what)] for what in ("done", "skipped")}
    return {**told, "failed": [str(failure) for failure in report.failed], "read": read[0]}


def do_remove(path: str, name: str, version: str, keep: bool) -> bool:
    return open_registry(path, backup_enabled=keep).remove_model(name, version)


def do_collect(path: str) -> None:
    open_registry(path).collect_garbage(0)


def do_archive(path: str, name: str, keep: int) -> list[str]:
    report = open_registry(path).archive(name, keep=keep, progress=False)
    assert not report.skipped, report.skipped
    return list(report.versions)


def do_restore_hot(path: str, name: str, version: str) -> str:
    return open_registry(path).restore_hot(name, version).reference


def do_load(path: str, name: str, version: str, cache_size: float = 1000.0) -> dict[str, str]:
    model = open_registry(path, cache_size=cache_size).load_model(name, version).model
    return {file: content.hex() for file, content in model.items()}


def do_backup(path: str) -> str:
    return open_registry(path).backup()


def do_rebuild(path: str) -> int:
    return ModelRegistry.rebuild(path).versions


def do_repair(path: str) -> int:
    return len(open_registry(path).repair().done)


def do_tag_many(path: str, name: str, key: str, count: int) -> int:
    registry = open_registry(path)
    for n in range(count):
        registry.set_tag(name, f"{key} {n}", n)
    return count


def do_register_paused(path: str, point: str, flags: str) -> str:
    """Register, but wait at a point until somebody has looked."""
    pause_at(point, lambda: _meet(Path(flags)))
    return register(open_registry(path), "paused", "1.0.0", "paused")


def do_collect_meanwhile(path: str, flags: str) -> None:
    """Collect while the other one waits."""
    registry = open_registry(path)
    _wait_for(Path(flags, "paused"))
    registry.collect_garbage(0)
    Path(flags, "go").touch()


def do_die_in_stage(path: str) -> None:
    """Leave a dead owner's lease, claims and staging folder."""
    pause_at("placed", lambda: os.kill(os.getpid(), signal.SIGKILL))
    register(open_registry(path), "dead", "1.0.0", "dead")


def do_churn(path: str, worker: int, seconds: float, archiving: Sequence[str] = ()) -> list[str]:
    """Register, remove, collect and load at random; returns what nobody removes: the versions kept."""
    registry, chance, kept = open_registry(path, backup_enabled=False), random.Random(worker), []
    end = time.monotonic() + seconds
    for n in itertools.count():
        if time.monotonic() > end:
            return kept
        action = chance.choice(("register", "register", "keep", "remove", "remove", "collect", "load", *archiving))
        if action == "register":
            with suppress(VersionExistsError):
                # Few labels: the same content comes and goes all the time, so it is shared with what is being removed.
                label = f"brief {chance.randrange(6)}"
                register(registry, f"brief-{chance.randrange(3)}", f"1.{chance.randrange(4)}", label)
        elif action == "keep":
            label = f"brief {chance.randrange(6)}"
            kept.append(f"kept-{worker}:{register(registry, f'kept-{worker}', f'1.{n}', label)}")
        elif action == "remove":
            registry.remove_model(f"brief-{chance.randrange(3)}", f"1.{chance.randrange(4)}")
        elif action == "collect":
            registry.collect_garbage(0)
        elif action == "archive":
            registry.archive("*", keep=chance.randrange(3), progress=False)
        elif action == "restore hot" and kept:
            registry.restore_hot(*chance.choice(kept).split(":"))
        elif kept:
            name, _, version = chance.choice(kept).partition(":")
            loaded = registry.load_model(name, version)
            assert loaded.model == parts(loaded.entry.metadata.extra["label"])
    return kept


def do_threads(path: str, threads: int, each: int) -> list[str]:
    """Register and load in several threads that share one registry object, beginning at once."""
    registry, barrier, failures, done = open_registry(path), threading.Barrier(threads), [], []

    def work(worker: int) -> None:
        barrier.wait()
        try:
            for n in range(each):
                version = register(registry, "threads", None, f"{worker} {n}")
                assert registry.load_model("threads", version).model == parts(f"{worker} {n}")
                done.append(version)
        except Exception as error:  # told by the main thread
            failures.append(error)

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return done


def do_pools(path: str, threads: int) -> int:
    """How many pools the threads of a process get that ask at once for the first time."""
    sys.setswitchinterval(1e-6)
    barrier, pools, failures = threading.Barrier(threads), [], []

    def work() -> None:
        barrier.wait()
        try:
            pools.append(workers.pool())
        except Exception as error:
            failures.append(error)

    asking = [threading.Thread(target=work) for _ in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    if failures:
        raise failures[0]
    return len(set(map(id, pools)))


def do_fork(path: str) -> list[str]:
    """Use a registry object, fork, and use it on both sides at once."""
    registry = open_registry(path)
    done = [register(registry, "fork", None, "before")]
    child = os.fork()
    side = "parent" if child else "child"
    done += [register(registry, "fork", None, f"{side} {n}") for n in range(5)]
    assert all(registry.load_model("fork", version).model for version in done)
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return done


def do_outlive(path: str, others: bool) -> list[str]:
    """Fork as a daemon does: the parent is gone when the child begins, and strangers come and go meanwhile.

    :param others: Another registry object, and one that another thread used, are open in the parent too.
    """
    registry = open_registry(path)
    inherited = _used_elsewhere(path, registry) if others else []
    register(registry, "daemon", None, "before")
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == parent:
        time.sleep(0.001)
    done = []
    for n in range(5):
        done.append(register(registry, "daemon", None, f"daemon {n}"))
        stranger = os.fork()
        if not stranger:
            os.execv(sys.executable, [sys.executable, "-c", _STRANGER, path])
        assert os.waitpid(stranger, 0)[1] == 0
    inherited.clear()  # until here they were open
    return done


def _used_elsewhere(path: str, registry: ModelRegistry) -> list[Any]:
    other, end = open_registry(path), threading.Event()
    used = threading.Event()
    thread = threading.Thread(target=lambda: (registry.list_models(), used.set(), end.wait()), daemon=True)
    thread.start()
    used.wait()
    return [other, thread, end]


_STRANGER = "import sys; from model_registry import ModelRegistry; ModelRegistry(sys.argv[1]).list_models()"

JOBS: dict[str, Callable[..., Any]] = {
    name.removeprefix("do_"): function for name, function in list(globals().items()) if name.startswith("do_")
}


def pause_at(point: str, pause: Callable[[], None]) -> None:
    """Call ``pause`` once a registration has come to a point: ``staged``, ``claimed`` or ``placed``."""
    if point == "staged":
        claim = SqliteCatalog.claim
        SqliteCatalog.claim = lambda *args: (pause(), claim(*args))[1]
    elif point == "claimed":
        place = registration.place
        registration.place = lambda *args: (pause(), place(*args))[1]
    elif point == "placed":
        commit = SqliteCatalog.commit
        SqliteCatalog.commit = lambda *args: (pause(), commit(*args))[1]
    else:
        raise ValueError(point)


def _meet(flags: Path) -> None:
    (flags / "paused").touch()
    _wait_for(flags / "go")


def _wait_for(flag: Path) -> None:
    end = time.monotonic() + 30
    while not flag.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{flag} did not come")
        time.sleep(0.002)


# Faults


class Fault:
    """Wraps the calls of ``os`` and strikes at the n-th of those that are named, in whatever thread it comes."""

    def __init__(self, kind: str, nth: int, calls: list[str]) -> None:
        self._strike = {"kill": _kill, "EIO": _fail(errno.EIO), "ENOSPC": _fail(errno.ENOSPC)}[kind]
        self._nth = nth
        self._count = itertools.count(1)
        for name in calls:
            setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(self._count) == self._nth:
                self._strike(name, real, args)
            return real(*args, **kwargs)

        return call


def _kill(name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if name == "writev":  # half of it reaches the file
        whole = b"".join(args[1])
        os.pwrite(args[0], whole[: len(whole) // 2], os.lseek(args[0], 0, os.SEEK_CUR))
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def _fail(code: int) -> Callable[..., None]:
    def fail(name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def _burn(call: str, times: int) -> None:
    """Make ``times`` calls that do nothing, so that strace's fault, which strikes at a fixed one, comes later."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    folder = os.open("/", os.O_RDONLY)
    missing = "/nonexistent/file"
    make: Callable[[], Any] = {
        "pwrite64": lambda: os.pwrite(nowhere, b"", 0),
        "fsync": lambda: os.fsync(nowhere),
        "fdatasync": lambda: os.fdatasync(nowhere),
        "rename": lambda: os.rename(missing, missing),
        "unlink": lambda: os.unlink(missing),
        "unlinkat": lambda: os.unlink("nonexistent/file", dir_fd=folder),
        "mkdir": lambda: os.mkdir("/nonexistent/file/folder"),
        "chmod": lambda: os.chmod(missing, 0o600),
    }[call]
    for _ in range(times):
        with suppress(OSError):
            make()


class Recorder:
    """Notes what changed on disk, and what was forced to it, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []
        for name in ("fsync", "rename", "link", "mkdir", "unlink"):
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        commit = SqliteCatalog.commit

        def committing(*args: Any) -> None:
            self.events.append(("commit",))
            commit(*args)

        SqliteCatalog.commit = committing

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *args: Any, **kwargs: Any) -> Any:
            paths = [os.readlink(f"/proc/self/fd/{first}")] if name == "fsync" else [first, *args]
            result = real(first, *args, **kwargs)
            self.events.append((name, *map(str, paths)))
            return result

        return call


# The server


def _run(job: dict[str, Any], tell: int, begin: int) -> None:
    """The life of a forked process."""
    write = os.write  # before it may be broken

    def say(outcome: dict[str, Any]) -> None:
        write(tell, (json.dumps(outcome) + "\n").encode())

    try:
        select.select([begin], [], [])  # until the server closes the other end
        fault = job.get("fault") or {}
        if fault.get("by") == "strace":
            _burn(fault["call"], STRIKES_AT - fault["nth"])
        elif fault.get("by") == "python":
            Fault(fault["kind"], fault["nth"], fault["calls"])
        recorder = Recorder() if job.get("record") else None
        result = JOBS[job["do"]](*job["args"])
        say({"result": result, "events": recorder.events if recorder else None})
    except BaseException as error:
        where = "" if isinstance(error, (ModelRegistryError, VersionNotFoundError)) else _where(error)
        say({"error": type(error).__name__, "message": str(error) + where})
    finally:
        os._exit(0)


def _where(error: BaseException) -> str:
    import traceback

    return "\n" + "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _race(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run the jobs, one process each, at once; their outcomes in order."""
    begin, closing = os.pipe()
    running = []
    for job in jobs:
        reading, tell = os.pipe()
        child = os.fork()
        if not child:
            os.close(closing)
            os.close(reading)
            _run(job, tell, begin)
        os.close(tell)
        running.append((child, reading))
    os.close(closing)
    os.close(begin)
    return [_outcome(child, reading) for child, reading in running]


def _outcome(child: int, reading: int) -> dict[str, Any]:
    with os.fdopen(reading) as told:
        lines = told.read().splitlines()  # until every process that holds the other end is gone
    status = os.waitpid(child, 0)[1]
    if not lines:
        return {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}
    outcome: dict[str, Any] = json.loads(lines[0])
    return outcome


def _requests() -> Iterator[list[dict[str, Any]]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tempfile.tempdir = scratch  # what killed children leave there goes with it
        _warm_up(Path(scratch, "warm"))
        for jobs in _requests():
            print(json.dumps(_race(jobs)), flush=True)


def _warm_up(path: Path) -> None:
    """Do everything once, so that all is imported, and end the threads that this started."""
    do_register(str(path), "warm", None, "warm")
    do_remove(str(path), "warm", "1.0.0", False)
    do_register(str(path), "warm", None, "warm")
    do_repair(str(path))
    do_backup(str(path))
    for file in path.glob("catalog.sqlite*"):
        file.unlink()
    do_rebuild(str(path))
    workers.pool().shutdown()
    workers._pools.clear()
    gc.collect()
    assert threading.active_count() == 1


if __name__ == "__main__":
    sqlite3.enable_callback_tracebacks(True)
    main()
