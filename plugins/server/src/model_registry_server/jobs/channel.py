"""What a worker hears from its server, and says to it.

Frameworks print, and may read: so the pipes are moved to descriptors of their own, stdout becomes stderr, and stdin is
empty. The server's end of the pipe closes when the server dies, however it dies; then this process ends at once.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn


class Channel:
    """The lines from and to the server. There is one in a process."""

    def __init__(self) -> None:
        self._orders, self._answers = os.dup(0), os.dup(1)
        _redirect(os.devnull)
        os.register_at_fork(after_in_child=self._forget)
        self._heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._saying = threading.Lock()
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def orders(self) -> Iterator[bytes]:
        """Each line of the server; it never ends, the process does."""
        while True:
            yield self._heard.get()

    def say(self, line: bytes) -> None:
        """Send a line, whole, from any thread."""
        rest = memoryview(line)
        try:
            with self._saying:
                while rest:
                    rest = rest[os.write(self._answers, rest) :]
        except BrokenPipeError:
            end_with_server()

    def _listen(self) -> None:
        try:
            with open(self._orders, "rb", closefd=False) as file:
                for line in file:
                    self._heard.put(line)
        finally:
            end_with_server()

    def _forget(self) -> None:
        """A forked child must not keep the pipes open when its parent is killed."""
        for descriptor in (self._orders, self._answers):
            with suppress(OSError):
                os.close(descriptor)


def end_with_server() -> NoReturn:
    """End this process and those that it started, whatever they are doing: nothing can be lost."""
    if os.getsid(0) == os.getpid():  # else the others of the group are none of ours
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _redirect(empty: str) -> None:
    nothing = os.open(empty, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what was printed last must not be lost when the process is killed
