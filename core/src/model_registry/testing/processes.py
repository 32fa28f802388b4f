"""Asking a new process: what it imports, what it loads, and which digests it comes to."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Seconds that a process may take; importing a framework takes some.
_PATIENCE = 600


def ask(question: str, folder: Path, **facts: Any) -> Any:
    """The answer of ``model_registry.testing.child``, run by a new interpreter with this one's paths.

    :param question: The name of one of its functions.
    :param folder: Its current folder.
    """
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # other than here, however this one came to its own
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODEL_REGISTRY_")}
    answer = folder / "answer.json"
    done = subprocess.run(
        [sys.executable, "-m", "model_registry.testing.child", question, str(answer)],
        input=json.dumps(facts),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=_PATIENCE,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": seed},
    )
    if done.returncode:
        raise AssertionError(f"a new process ended with {done.returncode}:\n{done.stderr}")
    return json.loads(answer.read_text(encoding="utf-8"))


def reference(suite: type) -> dict[str, str]:
    """Where another process finds a class: its module by name and file, and its name therein.

    :raises TypeError: for a class that no other process can find.
    """
    module = sys.modules.get(suite.__module__)
    file = getattr(module, "__file__", None) or inspect.getsourcefile(suite)
    if not file or "<locals>" in suite.__qualname__:
        raise TypeError(f"{suite.__qualname__} must stand at the top of a module, where a new process finds it")
    return {"module": suite.__module__, "file": str(Path(file).absolute()), "name": suite.__qualname__}
