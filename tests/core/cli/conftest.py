"""Fixtures of the command line's tests: an empty current folder with a plugin, and models to register there."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Done, run
from fake_plugins import Installer


@pytest.fixture(autouse=True)
def site(bytes_plugin: str, install: Installer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the plugin of the format «bytes» is installed; the current folder has no registry yet."""
    monkeypatch.delenv(
        "COLUMNS", raising=False
    )  # a runner of tests may set it; output that is no terminal has no width
    return install.site


@pytest.fixture
def weights() -> Path:
    """A file that the plugin recognises."""
    path = Path("weights.bin")
    path.write_bytes(b"BYTES of a model")
    return path


@pytest.fixture
def digits(weights: Path) -> Done:
    """Two versions of a model, registered in ``./models``."""
    run("register", weights, "--name", "digits", "--metric", "accuracy=0.95", "--description", "handwritten digits")
    return run("register", weights, "--name", "digits", "--metric", "accuracy=0.97", "--tag", "good", "--author", "Ada")
