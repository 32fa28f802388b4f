"""A registry that cannot be written, such as one on a read-only mount, can still be read."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_plugins import Installer

from model_registry import ModelRegistry

READ = """
import os, sys
from model_registry import ModelRegistry, StorageError

def use(folder):
    registry = ModelRegistry(folder)
    yield " ".join(entry.reference for entry in registry.list_models())
    yield registry.load_model("m").model.decode()
    yield registry.validate_registry()["valid_models"]
    yield registry.compare("m", "m", differences=True).identical
    try:
        registry.register_model("m", b"more")
    except StorageError as error:
        yield error

warm, frozen = sys.argv[1:]
ModelRegistry(warm).register_model("m", b"x")
list(use(warm))  # imports everything, while this process may still read it all
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anything, so it becomes nobody
print(*use(frozen), sep="\\n")
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other users can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="model_registry-test-"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


def freeze(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_is_listed_loaded_and_validated_and_says_why_it_cannot_be_changed(
    shared: Path, bytes_plugin: str, install: Installer
) -> None:
    frozen = shared / "frozen"
    ModelRegistry(frozen).register_model("m", b"x")
    gc.collect()  # closes the catalog: its log is gone then, as in a copy or an image
    freeze(frozen)
    environ = {**os.environ, "PYTHONPATH": str(shutil.copytree(install.site, shared / "site"))}
    command = [sys.executable, "-c", READ, str(shared / "warm"), str(frozen)]
    done = subprocess.run(command, env=environ, cwd=shared, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed, model, valid, identical, refusal = done.stdout.splitlines()
    assert (listed, model, valid, identical) == ("m:1.0.0", "x", "1", "True")
    assert "not writable for this user" in refusal


def test_what_is_written_meanwhile_is_seen(shared: Path, bytes_plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared / "registry"
    writer = ModelRegistry(folder)
    writer.register_model("m", b"x")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    reader = ModelRegistry(folder)
    assert [entry.version for entry in reader.list_models()] == ["1.0.0"]
    monkeypatch.setattr(os, "access", access)
    writer.register_model("m", b"y")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    assert [entry.version for entry in reader.list_models()] == ["1.0.0", "1.0.1"]
