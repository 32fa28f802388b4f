"""One worker process, as the server sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from model_registry_server.jobs.failures import UNEXPECTED, WorkerDiedError, WorkerError
from model_registry_server.jobs.protocol import LONGEST_LINE

Progress = Callable[[dict[str, Any]], object]
#: It may take its time: until it has, the worker tells no more.
TakePart = Callable[[Any], Awaitable[object]]

#: The folder where the server was started must not decide which modules are imported.
_SAFE_PATH = ["-P"] if sys.version_info >= (3, 11) else []


class WorkerProcess:
    """A process that runs, and the pipes to it. It leads a session: whatever it starts is ended with it."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker is spoken to through pipes")
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout

    @classmethod
    async def start(cls, tasks: Sequence[str], environment: Mapping[str, str]) -> WorkerProcess:
        """Start one.

        :raises WorkerError: if the system refuses.
        """
        command = [sys.executable, *_SAFE_PATH, "-m", "model_registry_server.jobs.worker"]
        command += [f"--tasks={module}" for module in tasks]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, env=environment, limit=LONGEST_LINE + 2, start_new_session=True
            )
        except OSError as error:
            message = f"no worker process could be started: {error.strerror}"
            raise WorkerError("StorageError", message, "try again when the machine is less busy") from error
        return cls(process)

    @property
    def pid(self) -> int:
        """The process's id, and that of its group."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """False once it is known to have ended."""
        return self._process.returncode is None and not self._stdout.at_eof()

    async def ask(self, order: bytes, on_progress: Progress | None, on_part: TakePart | None) -> dict[str, Any]:
        """Let it do a task, and return its last answer. If anything is raised here, the worker is of no more use.

        :raises WorkerError: if the process ends before it has answered.
        """
        with suppress(ConnectionError):  # reading will tell why it does not listen
            self._stdin.write(order)
            await self._stdin.drain()
        while True:
            answer = await self._answer()
            if "progress" in answer:
                if on_progress is not None:
                    on_progress(answer["progress"])
            elif "part" in answer:
                if on_part is not None:
                    await on_part(answer["part"])
            else:
                return answer

    def kill(self) -> None:
        """End it now, and all that it started. Nothing can be lost."""
        if self._process.returncode is None:  # long afterwards its id may be another's
            self._kill_group()

    async def gone(self) -> int:
        """Wait until it has ended and its pipes are closed. Returns its exit code, negative for a signal."""
        await self._stdout.read()
        self._stdin.close()
        with suppress(ConnectionError):
            await self._stdin.wait_closed()
        return await self._process.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _answer(self) -> dict[str, Any]:
        try:
            line = await self._stdout.readline()
        except ValueError as error:  # longer than the limit
            raise WorkerDiedError(UNEXPECTED, f"a worker answered more than {LONGEST_LINE:,} bytes") from error
        if not line.endswith(b"\n"):
            self._kill_group()  # what it started may still run
            raise _ended(await self.gone())
        # Not in a thread: the parser lets no other go on until it has ended, wherever it runs. The longest line takes
        # some tenths of a second; few but reports of hundreds of thousands of findings come near it.
        answer: dict[str, Any] = json.loads(line)
        return answer


def _ended(code: int) -> WorkerDiedError:
    if code < 0:
        how = f"was ended by {_signal_name(-code)}"
        hint = "try again; if that happens each time, the work may need more memory than there is"
    else:
        how, hint = f"ended with exit code {code}", "try again; the server's log says more"
    return WorkerDiedError("StorageError", f"the worker process {how} before the work was done", hint)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"
