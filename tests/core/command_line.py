"""The command line, as tests call it: within this process, which is fast, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from click.testing import CliRunner

from model_registry.cli import root


@frozen
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What ``--json`` printed."""
        document: dict[str, Any] = json.loads(self.out)
        return document


def run(*arguments: object) -> Done:
    """Run a command here."""
    result = CliRunner().invoke(root, [str(argument) for argument in arguments], catch_exceptions=False)
    return Done(result.exit_code, result.stdout, result.stderr)


def child_environ(site: Path) -> dict[str, str]:
    """The environment of a process in which ``site`` is installed, and Python buffers its output as it usually does."""
    environ = {**os.environ, "PYTHONPATH": str(site), "NO_COLOR": "1"}
    environ.pop("PYTHONUNBUFFERED", None)
    return environ


def start(
    site: Path, *arguments: object, environ: Mapping[str, str] | None = None, python: tuple[str, ...] = ()
) -> Done:
    """Run a command in a process of its own, with what is in ``site`` installed.

    :param python: Options of the interpreter.
    """
    done = subprocess.run(
        [sys.executable, *python, "-m", "model_registry", *map(str, arguments)],
        env={**child_environ(site), **(environ or {})},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
