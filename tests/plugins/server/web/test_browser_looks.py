"""Every page in a real browser: both languages, both themes, wide and narrow. Nothing may go wrong on any of them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from running import Running
from watching import Watched, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = {
    "models": "/ui/models",
    "search": "/ui/models?q=metrics.accuracy+>+0.9&sort=-size",
    "model": "/ui/models/digits?done=alias_moved&alias=champion&version=1.1.0",
    "version": "/ui/models/digits/versions/1.1.0",
    "inside": "/ui/models/digits/versions/1.1.0/inside",
    "hostile": "/ui/models/hostile",
    "hostile-version": "/ui/models/hostile/versions/1.0.0",
    "compare": "/ui/compare?a=digits:1.0.0&b=digits:1.1.0&c=digits:1.3.0",
    "upload": "/ui/upload",
    "jobs": "/ui/jobs",
    "job": "/ui/jobs/{job}",
    "validate": "/ui/validate",
    "storage": "/ui/storage",
    "plugins": "/ui/plugins",
    "audit": "/ui/audit?verify=true",
    "tokens": "/ui/tokens",
    "removed": "/ui/removed",
    "login": "/ui/login",
}
LOOKS = [(width, theme) for width in (1280, 375) for theme in ("light", "dark")]


@pytest.fixture(scope="module")
def job(web: httpx.Client) -> str:
    """A validation, ended."""
    path = web.post("/ui/validate").headers["location"]
    with web.stream("GET", f"{path}/events") as events:
        assert "event: succeeded" in "".join(events.iter_text())
    web.post("/ui/models/team%2Fspare/remove", data={"version": "0.1"})  # so that there is something to restore
    return path.rpartition("/")[2]


@pytest.fixture(scope="module", params=["en", "zh"])
def watching(request: pytest.FixtureRequest, chromium: Browser, server: Running) -> Iterator[tuple[str, Watched]]:
    with watched(chromium, server.url, request.param) as made:
        yield request.param, made


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_right_in_every_way(watching: tuple[str, Watched], name: str, job: str, screenshots: Path) -> None:
    language, watched = watching
    page = watched.open(PAGES[name].format(job=job))
    for width, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.screenshot(path=screenshots / f"{name}-{width}-{theme}-{language}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the body is wider than the window"
    assert watched.all_troubles() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_shuts_anybody_out(chromium: Browser, server: Running, job: str, theme: str) -> None:
    axe = _axe()
    found: dict[str, Any] = {}
    with watched(chromium, server.url) as watching:
        watching.page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        for name, path in PAGES.items():
            page = watching.open(path.format(job=job))
            page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
            page.evaluate(axe)
            told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            worst = [each for each in told["violations"] if each["impact"] in ("serious", "critical")]
            for each in worst:
                found[f"{name}: {each['id']}"] = [node["html"][:200] for node in each["nodes"]][:3]
    assert found == {}


def _axe() -> str:
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("needs axe-playwright-python, which brings axe-core along")
    return next(Path(spec.origin).parent.rglob("axe.min.js")).read_text()
