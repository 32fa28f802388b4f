"""A server for a block of code: for tests of what talks to one, for notebooks, and for the documentation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from model_registry import StorageError


@contextmanager
def running(folder: str | os.PathLike[str], *arguments: str) -> Iterator[str]:
    """``with running("./models") as url:`` — serves a registry from a process of its own, at a port that is free.

    :param folder: The registry's folder, made if there is none.
    :param arguments: More of them, as for ``model-registry serve``.
    :raises StorageError: if the server does not start; what it said is in the message.
    """
    words = ["--registry", os.fspath(folder), "serve", "--port", "0", *arguments]
    process = subprocess.Popen([sys.executable, "-m", "model_registry", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with process.stdout as said:
        try:
            first = said.readline()
            if not first.startswith("serving "):
                raise StorageError(f"the server of {folder} did not start: {first.strip()}", path=os.fspath(folder))
            yield first.rpartition(" at ")[2].strip()
        finally:
            process.terminate()
            process.wait()
