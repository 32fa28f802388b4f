from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from importlib_metadata import entry_points

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules, which are no package
sys.path.insert(0, str(Path(__file__).parent.parent / "webhooks"))  # the receiver

from grid_plugin import GATE
from running import Running, serving
from web_models import fill

from model_registry import ModelRegistry

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GROUP = "model_registry.plugins"
OPTIONS = 'webhook_hosts = ["localhost"]\nwebhook_private = true'
SWITCHES = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables by which servers, and this process, know the plugin «grid», and no other but the server's own."""
    site = tmp_path_factory.mktemp("site")
    info = site / "fake_grid-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-grid\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ngrid = grid_plugin:Plugin\n")
    others = [point.name for point in entry_points(group=GROUP) if point.name != "server"]
    said = {
        "PYTHONPATH": f"{site}:{Path(__file__).parent}",
        "MODEL_REGISTRY_DISABLED_PLUGINS": ",".join(others),
        GATE: str(site / "gate"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        for name, value in said.items():
            patch.setenv(name, value)
        yield said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    """A registry with a model that has a history, a hostile one, a wide one, and one of a team."""
    folder = tmp_path_factory.mktemp("web") / "models"
    fill(ModelRegistry(folder), tmp_path_factory.mktemp("files"))
    return folder


@pytest.fixture
def gate(environ: dict[str, str]) -> Iterator[Path]:
    """A file that lets conversions to «slow» wait, until it is deleted."""
    path = Path(environ[GATE])
    path.touch()
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def server(folder: Path, environ: dict[str, str]) -> Iterator[Running]:
    with serving(folder, options=OPTIONS, environ=environ) as running:
        yield running


@pytest.fixture(scope="module")
def web(server: Running) -> Iterator[httpx.Client]:
    """A browser without scripts, that speaks English."""
    with httpx.Client(base_url=server.url, timeout=60, headers={"Accept-Language": "en"}) as client:
        yield client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser, without a window. Not for longer: while it is open, no other test of the process has a loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs a chromium on the PATH")
    with playwright.sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where pictures of the pages go, for people to look at: the folder that SCREENSHOTS names. They take time."""
    said = os.environ.get("SCREENSHOTS")
    if not said:
        return None
    folder = Path(said)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
