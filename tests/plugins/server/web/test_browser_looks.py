"""Every page in a real browser: both languages, both themes, wide and narrow. Nothing may go wrong on any of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from running import Running
from watching import Watched, new_context, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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
    "webhooks": "/ui/webhooks",
    "webhook": "/ui/webhooks/{webhook}",
    "error": "/ui/models?after=nowhere",
    "removed": "/ui/removed",
    "login": "/ui/login",
}
WIDTHS, THEMES = (1280, 768, 375), ("light", "dark")


@pytest.fixture(scope="module")
def job(web: httpx.Client) -> str:
    """A validation, ended; and one of everything else that has a page."""
    path = web.post("/ui/validate").headers["location"]
    with web.stream("GET", f"{path}/events") as events:
        assert "event: succeeded" in "".join(events.iter_text())
    web.post("/ui/models/team%2Fspare/remove", data={"version": "0.1"})  # so that there is something to restore
    return str(path.rpartition("/")[2])


@pytest.fixture(scope="module")
def webhook(web: httpx.Client) -> str:
    """A webhook that nobody receives, and what was sent to it."""
    made = web.post("/ui/webhooks", data={"url": "http://localhost:9/hook", "event.*": "on", "description": "CI"})
    id = str(re.findall(r"/ui/webhooks/([0-9a-f]{16})/test", made.text)[0])
    web.post(f"/ui/webhooks/{id}/test")
    return id


@pytest.fixture(scope="module", params=["en", "zh"])
def watching(request: pytest.FixtureRequest, chromium: Browser, server: Running) -> Iterator[tuple[str, Watched]]:
    context = new_context(chromium, request.param)
    with watched(context, server.url) as made:
        yield request.param, made
    context.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("needs axe-playwright-python, which brings axe-core along")
    return next(Path(spec.origin).parent.rglob("axe.min.js")).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_right_and_shuts_nobody_out(
    watching: tuple[str, Watched], name: str, job: str, webhook: str, axe: str, screenshots: Path | None
) -> None:
    language, watched = watching
    page = watched.open(PAGES[name].format(job=job, webhook=webhook))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the body is wider than the window"
        if screenshots is not None:
            take(page, screenshots, f"{name}-{width}", language)
    if language == "en":  # what axe looks at is the same in the other
        assert violations(page, axe) == {}
    assert watched.all_troubles() == []


def take(page: Page, folder: Path, name: str, language: str) -> None:
    """Pictures of a page in both themes."""
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.screenshot(path=folder / f"{name}-{theme}-{language}.png", full_page=True)


def violations(page: Page, axe: str) -> dict[str, list[str]]:
    """What axe finds on a page with all of it unfolded; in the other theme only the colours are others."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
    page.evaluate(axe)
    found = {}
    for theme, rules in (("light", None), ("dark", ["color-contrast"])):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        asked = {"resultTypes": ["violations"], "preload": False, **({"runOnly": rules} if rules else {})}
        told = page.evaluate("asked => axe.run(document, asked)", asked)
        for each in told["violations"]:
            if each["impact"] in ("serious", "critical"):
                found[f"{theme}: {each['id']}"] = [node["html"][:200] for node in each["nodes"]][:3]
    return found
