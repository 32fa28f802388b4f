"""The first page in a browser: what goes over the wire, and how long until it is ready, on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import catalog
from measuring import Scale
from table import Row, milliseconds

from model_registry import ModelRegistry
from serving import ours

TITLE = "The pages of the server"
_WIRE = "the first page and everything that it loads, over the wire"
_COLD = "… ready, when server and browser have just begun"
_WARM = "… ready, in a new window with nothing kept"
_MOST_KILOBYTES = 200
_READY = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def measure(folder: Path, scale: Scale) -> Iterator[Row]:
    """The rows."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        yield from (Row(what, "not measured: it needs a chromium on the PATH") for what in (_WIRE, _COLD, _WARM))
        return
    count = next((size for size in scale.versions if size >= 10_000), scale.versions[-1])
    registry = ModelRegistry(folder / "models", backup_enabled=False)
    catalog.grow(registry, catalog.Rows(catalog.document(folder)), 0, count)
    with ours(folder / "models") as (url, _), sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=program, args=["--no-sandbox"])
        visits = [_visit(browser, f"{url}/ui/") for _ in range(1 + scale.pairs)]
        browser.close()
    sizes, seconds = zip(*visits, strict=True)
    kilobytes = max(sizes) / 1e3
    what = f"{_WIRE}, of {count:,} versions"
    yield Row(what, f"{kilobytes:.0f} KB", f"≤ {_MOST_KILOBYTES} KB", kilobytes <= _MOST_KILOBYTES)
    yield milliseconds(_COLD, seconds[0], 1000)
    yield milliseconds(_WARM, median(seconds[1:]), 1000)


def _visit(browser: Any, address: str) -> tuple[int, float]:
    """Bytes and seconds until the page and all that it loads are there."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        network = context.new_cdp_session(page)
        sizes: list[int] = []
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda told: sizes.append(int(told["encodedDataLength"])))
        page.goto(address, wait_until="networkidle")
        return sum(sizes), page.evaluate(_READY) / 1e3
