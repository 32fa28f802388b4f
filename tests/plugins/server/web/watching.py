"""A page of a real browser, of which everything that goes wrong is noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


class Watched:
    """A page that notes its errors, and requests to other hosts."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self._url = url
        self.page.set_default_timeout(15_000)
        self.page.add_init_script(_VIOLATIONS)
        self.page.on("console", lambda said: self._note(said.type in ("error", "warning"), said.text))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.on("request", lambda request: self._note(not self._is_ours(request.url), request.url))

    def open(self, path: str) -> Page:
        """Go to a page."""
        self.page.goto(self._url + path)
        return self.page

    def all_troubles(self) -> list[str]:
        """What went wrong until now, violations of the policy among it."""
        return self.troubles + list(self.page.evaluate("window.violations"))

    def _is_ours(self, url: str) -> bool:
        return url.startswith((f"{self._url}/", "data:", "blob:"))

    def _note(self, is_trouble: bool, what: str) -> None:
        if is_trouble:
            self.troubles.append(what)


def new_context(chromium: Browser, language: str = "en", width: int = 1280) -> BrowserContext:
    """Where pages share what they keep: files, and cookies."""
    locale = "zh-CN" if language == "zh" else "en-US"
    return chromium.new_context(
        viewport={"width": width, "height": 900}, locale=locale, timezone_id="UTC", reduced_motion="reduce"
    )


@contextmanager
def watched(context: BrowserContext, url: str) -> Iterator[Watched]:
    """A page; at the end nothing may have gone wrong, and what it kept is forgotten, but for files."""
    made = Watched(context, url)
    try:
        yield made
        assert made.all_troubles() == []
        made.page.evaluate("localStorage.clear()")
    finally:
        made.page.close()
        context.clear_cookies()
