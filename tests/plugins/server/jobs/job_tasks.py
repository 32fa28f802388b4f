"""Tasks that only tests need. Workers find this module on PYTHONPATH."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_registry import ModelRegistry, UnsafeModelError
from model_registry.progress import advance
from model_registry_server.jobs import parts as parts_of_results
from model_registry_server.jobs import protocol
from model_registry_server.jobs.tasks import task

Arguments = Mapping[str, Any]


class VeryUnsafeError(UnsafeModelError):
    """An error that only its plugin knows."""


@task("pid")
def pid(registry: ModelRegistry, arguments: Arguments) -> Any:
    return os.getpid()


@task("echo")
def echo(registry: ModelRegistry, arguments: Arguments) -> Any:
    return dict(arguments)


@task("identity")
def identity(registry: ModelRegistry, arguments: Arguments) -> Any:
    return id(registry)


@task("hold")
def hold(registry: ModelRegistry, arguments: Arguments) -> Any:
    """Say in a file who works, and go on when there is another file."""
    write(Path(arguments["begun"]), str(os.getpid()))
    while not Path(arguments["go"]).exists():
        time.sleep(0.01)
    return os.getpid()


@task("note")
def note(registry: ModelRegistry, arguments: Arguments) -> Any:
    """Add a line to a file."""
    with Path(arguments["file"]).open("a") as file:
        file.write(arguments["line"] + "\n")
    return None


@task("describe")
def describe(registry: ModelRegistry, arguments: Arguments) -> Any:
    registry.describe("m", arguments["text"])
    return None


@task("noise")
def noise(registry: ModelRegistry, arguments: Arguments) -> Any:
    """Print by every way there is, and read what nobody says."""
    print("printed by Python")
    os.write(1, b"written to the descriptor\n")
    subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
    return sys.stdin.read()


@task("modules")
def modules(registry: ModelRegistry, arguments: Arguments) -> Any:
    return sorted(sys.modules)


@task("count")
def count(registry: ModelRegistry, arguments: Arguments) -> Any:
    """Count bytes for so many seconds, as fast as possible. Returns how long it really took."""
    begin = time.monotonic()
    total, seconds = arguments["total"], arguments["seconds"]
    with registry._context.progress.operation("counting", bytes_total=total):
        for number in range(total):
            time.sleep(max(0.0, begin + seconds * number / total - time.monotonic()))
            advance(1)
    return time.monotonic() - begin


@task("raise")
def raise_(registry: ModelRegistry, arguments: Arguments) -> Any:
    kinds = {"value": ValueError, "memory": MemoryError, "exit": SystemExit}
    raise kinds[arguments["kind"]]("a secret")


@task("refuse")
def refuse(registry: ModelRegistry, arguments: Arguments) -> Any:
    facts = {"path": "a/b", "size": 3, "odd": object(), "ratio": 0.5, "far": float("inf"), "none": None}
    raise VeryUnsafeError("a/b was refused", hint="do not", **facts)


@task("end")
def end(registry: ModelRegistry, arguments: Arguments) -> Any:
    if "signal" in arguments:
        os.kill(os.getpid(), arguments["signal"])
        signal.pause()
    os._exit(arguments["code"])


@task("interrupt")
def interrupt(registry: ModelRegistry, arguments: Arguments) -> Any:
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
    return "still here"


@task("family")
def family(registry: ModelRegistry, arguments: Arguments) -> Any:
    """Start another process and fork one, which would both stay for long, and stay too."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    forked = os.fork()
    if forked:
        write(Path(arguments["begun"]), f"{os.getpid()} {child.pid} {forked}")
        if "code" in arguments:
            os._exit(arguments["code"])
    time.sleep(600)


@task("unspeakable")
def unspeakable(registry: ModelRegistry, arguments: Arguments) -> Any:
    return {"object": object(), "nan": float("nan")}[arguments["kind"]]


@task("parts")
def parts(registry: ModelRegistry, arguments: Arguments) -> Any:
    """Tell so many parts before the end, which is a failure if that is said."""
    for number in range(arguments["count"]):
        parts_of_results.tell(number)
    if arguments.get("fails"):
        raise ValueError
    return arguments["count"]


@task("long")
def long(registry: ModelRegistry, arguments: Arguments) -> Any:
    protocol.LONGEST_LINE = arguments.get("limit", protocol.LONGEST_LINE)
    return "x" * arguments["length"]


def write(path: Path, text: str) -> None:
    """At once, so that who sees the file sees all of it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)
