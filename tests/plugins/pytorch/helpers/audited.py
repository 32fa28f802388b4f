"""Child process: register hostile files and report anything that was executed.

Takes the paths from the command line; prints a line of JSON for each: the error, or null, and the audit events of code
that ran, if any. The last line is what the same watch sees when the first file is read without protection.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import safetensors.torch  # noqa: F401  # what a plugin imports is imported now, so that all later events mean something
import torch
import torch._dynamo

from model_registry import ModelRegistry

FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.fork", "os.putenv", "socket.connect"}
seen: list[str] = []
armed = False


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if not armed:
        return
    if event in FORBIDDEN or "canary" in repr(arguments):
        seen.append(event)


sys.addaudithook(watch)
with tempfile.TemporaryDirectory() as folder:
    registry = ModelRegistry(Path(folder) / "models")
    registry.register_model("warm", torch.nn.LSTM(2, 2))
    registry.load_model("warm")
    for number, path in enumerate(sys.argv[1:]):
        seen.clear()
        armed = True
        error = None
        try:
            registry.register_model(f"hostile{number}", Path(path), "pytorch")
            registry.load_model(f"hostile{number}")
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        armed = False
        entries = [entry.name for entry in registry.list_models()]
        print(json.dumps({"path": path, "error": error, "executed": seen, "left": entries != ["warm"]}))
    os.chdir(folder)
    seen.clear()
    armed = True
    torch.load(sys.argv[1], weights_only=False)
    print(json.dumps(seen))
