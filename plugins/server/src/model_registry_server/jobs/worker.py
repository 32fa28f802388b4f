"""A worker: ``python -m model_registry_server.jobs.worker`` does what its server says, one task after the other.

It is a process of its own so that a framework blocks nobody, and gives its memory back when it ends. It may be killed
at any moment. Nothing heavy is imported before a task needs it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from model_registry import InvalidOptionError, ModelRegistryError, PluginError
from model_registry_server.jobs import parts, protocol
from model_registry_server.jobs.channel import Channel
from model_registry_server.jobs.failures import error_document
from model_registry_server.jobs.reports import Reports
from model_registry_server.jobs.tasks import TASKS, Task
from model_registry_server.security.guard import guard_process

if TYPE_CHECKING:
    from model_registry import ModelRegistry

#: Says, as JSON, which hosts a worker may call: ``{"allowed": […], "private": false}``. Without it, any.
HOSTS_VARIABLE = "MODEL_REGISTRY_WORKER_HOSTS"


def main(arguments: Sequence[str] | None = None) -> None:
    """Work until the server closes stdin.

    :param arguments: Those of the command line: ``--tasks MODULE``, any number of times.
    """
    parser = argparse.ArgumentParser(prog="model-registry-worker")
    parser.add_argument("--tasks", action="append", default=[], metavar="MODULE")
    given = parser.parse_args(arguments)
    sys.argv = [parser.prog]  # versions made here record the command: where this file lies tells nothing of them
    _keep_to_hosts()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which decides about its workers
    channel = Channel()
    for module in given.tasks:
        import_module(module)
    worker = Worker(channel.say)
    for line in channel.orders():
        worker.obey(json.loads(line))


def _keep_to_hosts() -> None:
    """Let this process call no other hosts than its server says, if it says any or none."""
    said = os.environ.get(HOSTS_VARIABLE)
    if said is not None:
        hosts = json.loads(said)
        guard_process(hosts["allowed"], hosts["private"])


class Worker:
    """Does tasks, and says what came of them.

    :param say: Sends a line to the server.
    """

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self._say = say
        self._open: tuple[Mapping[str, Any], ModelRegistry] | None = None

    def obey(self, order: Mapping[str, Any]) -> None:
        """Do one task, and answer."""
        try:
            answer = _answer(self._do(order))
        except BaseException as error:  # also what ends a program, such as sys.exit in a plugin: this is no program
            if not isinstance(error, ModelRegistryError):
                traceback.print_exc()
            answer = protocol.line_of({"error": error_document(error)})
        self._say(answer)

    def _do(self, order: Mapping[str, Any]) -> Any:
        task = _task(order["task"])
        registry = self._registry(order["registry"])
        telling = parts.taken_by(self._tell_part)
        with telling, registry.acting_as(order["actor"]), Reports(self._report) as reports, registry.progress(reports):
            return task(registry, order["arguments"])

    def _report(self, progress: Mapping[str, Any]) -> None:
        self._say(protocol.line_of({"progress": progress}))

    def _tell_part(self, part: object) -> None:
        self._say(protocol.line_of({"part": part}))

    def _registry(self, keywords: Mapping[str, Any]) -> ModelRegistry:
        if self._open is None or self._open[0] != keywords:
            from model_registry import ModelRegistry

            self._open = keywords, ModelRegistry(**keywords)
        return self._open[1]


def _task(name: str) -> Task:
    try:
        return TASKS[name]
    except KeyError:
        hint = f"there are: {', '.join(sorted(TASKS))}"
        raise InvalidOptionError(f"there is no task {name!r}", hint=hint, option=name) from None


def _answer(result: object) -> bytes:
    line = protocol.line_of({"result": result})
    if len(line) > protocol.LONGEST_LINE:
        message = f"the result takes {len(line):,} bytes, more than the {protocol.LONGEST_LINE:,} that can be told"
        raise PluginError(message, hint="the work itself is done; ask for less of it")
    return line


if __name__ == "__main__":
    main()
