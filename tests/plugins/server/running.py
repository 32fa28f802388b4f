"""Real servers for the tests, each a process of its own on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from model_registry import ModelRegistry

SITE = "SERVER_TESTS_SITE"


class Running:
    """A server that answers at ``url``."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.log: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.log.extend(self.process.stdout)


def start(
    folder: Path, *arguments: str, port: int = 0, options: str = "", environ: Mapping[str, str] | None = None
) -> Running:
    """Start a server of the registry in a folder.

    :param options: Lines of its table ``[plugins.server]``.
    """
    config = folder.parent / f"{folder.name}.toml"
    config.write_text(f"[plugins.server]\n{options}\n")
    words = ["--config", str(config), "--registry", str(folder), "serve", "--port", str(port), *arguments]
    process = subprocess.Popen(
        [sys.executable, "-m", "model_registry", *words],
        env={**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache"), **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    if not said.startswith("serving "):
        rest = said + process.stdout.read()
        process.stdout.close()
        process.wait()
        raise AssertionError(f"the server did not start: {rest}")
    return Running(process, said.split(" at ")[1].strip())


@contextmanager
def serving(folder: Path, *arguments: str, **keywords: object) -> Iterator[Running]:
    """The same for a block; the server ends with it, cleanly."""
    running = start(folder, *arguments, **keywords)  # type: ignore[arg-type]
    try:
        yield running
    finally:
        if running.process.poll() is None:
            code = running.stop()
            assert code in (0, -signal.SIGTERM), running.log


def token(folder: Path, name: str, role: str, *models: str) -> str:
    """A new token for the registry in a folder, which is made if there is none."""
    ModelRegistry(folder)
    words = ["--registry", str(folder), "token", "create", name, "--role", role]
    for model in models:
        words += ["--model", model]
    done = subprocess.run([sys.executable, "-m", "model_registry", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
