"""What becomes of uploads that go wrong, in a real browser: the reason is told, and nothing has to be chosen anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from grid_plugin import grid
from running import Running, serving, start
from watching import Watched, new_context

from model_registry import ModelRegistry

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

LIMIT = "max_upload_mb = 38"
PARTS = re.compile("/ui/uploads/[^/]+/files/")


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = new_context(chromium)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path, environ: dict[str, str]) -> Path:
    return tmp_path / "models"


@pytest.fixture
def server(folder: Path, environ: dict[str, str]) -> Iterator[Running]:
    with serving(folder, options=LIMIT, environ=environ) as running:
        yield running


def chosen(context: BrowserContext, url: str, content: bytes, tmp_path: Path, name: str) -> Page:
    """The page, on which a file is chosen and a name written."""
    page = Watched(context, url).open("/ui/upload")
    (tmp_path / "m.grid").write_bytes(content)
    page.locator("[data-files]").set_input_files(tmp_path / "m.grid")
    page.get_by_label("Name", exact=True).fill(name)
    return page


def send(page: Page) -> None:
    page.get_by_role("button", name="Upload", exact=True).click()


@pytest.mark.parametrize("pad", [39 << 20, 31 << 20], ids=["in parts", "at once"])
def test_what_is_too_large_is_told_and_the_file_stays_chosen(
    context: BrowserContext, folder: Path, environ: dict[str, str], tmp_path: Path, pad: int
) -> None:
    options = LIMIT if pad > 32 << 20 else "max_upload_mb = 1"
    with serving(folder, options=options, environ=environ) as server:
        page = chosen(context, server.url, grid(pad=pad), tmp_path, "large")
        send(page)
        page.get_by_role("alert").get_by_text("This is too large").wait_for()
        assert "max_upload_mb" in page.get_by_role("alert").inner_text()
        assert "m.grid" in page.locator("[data-chosen]").inner_text()
        assert page.get_by_role("button", name="Upload", exact=True).is_enabled()
        page.close()


def test_a_name_that_is_not_allowed_is_told_at_its_field_and_corrected_there(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path
) -> None:
    page = chosen(context, server.url, grid(), tmp_path, "not a name")
    send(page)
    page.get_by_role("alert").get_by_text("not a name").wait_for()
    name = page.get_by_label("Name", exact=True)
    assert name.get_attribute("aria-invalid") == "true"
    assert name.evaluate("element => element === document.activeElement")
    name.fill("a-name")
    send(page)
    page.wait_for_url("**/ui/models/a-name/versions/1.0.0*")
    assert ModelRegistry(folder).resolve("a-name").metadata.format == "grid"
    page.close()


def test_a_file_of_no_known_format_is_told_and_kept_as_it_is_once_that_is_chosen(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path
) -> None:
    page = chosen(context, server.url, b"what is this?", tmp_path, "unknown")
    send(page)
    page.get_by_role("alert").get_by_text("is a text file").wait_for()
    page.get_by_label("Format").select_option("opaque")
    send(page)
    page.wait_for_url("**/ui/models/unknown/versions/1.0.0*")
    assert ModelRegistry(folder).resolve("unknown").metadata.format == "opaque"
    page.close()


def test_an_upload_goes_on_by_itself_when_the_server_was_away(
    context: BrowserContext, folder: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    first = start(folder, options=LIMIT, environ=environ)
    seen: list[str] = []

    def away(route: Route) -> None:
        seen.append(route.request.headers["upload-offset"])
        if len(seen) == 2:
            first.stop()
        route.continue_()

    content = grid(pad=36 << 20)
    page = chosen(context, first.url, content, tmp_path, "patient")
    page.route(PARTS, away)
    send(page)
    page.get_by_text("Trying again").wait_for()
    second = start(folder, port=first.port, options=LIMIT, environ=environ)
    try:
        page.wait_for_url("**/ui/models/patient/versions/1.0.0*", timeout=60_000)  # tries come ever later
        assert ModelRegistry(folder).resolve("patient").size == len(content)
        assert seen[:2] == ["0", str(16 << 20)]
        assert "0" not in seen[1:]  # what had come was not sent again
        page.close()
    finally:
        second.stop()


def test_a_small_upload_whose_connection_breaks_is_told_and_sent_again_by_a_click(
    context: BrowserContext, folder: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    first = start(folder, options=LIMIT, environ=environ)
    page = chosen(context, first.url, grid(), tmp_path, "again")
    first.stop()
    send(page)
    page.get_by_role("alert").get_by_text("Your files are still chosen").wait_for()
    second = start(folder, port=first.port, options=LIMIT, environ=environ)
    try:
        send(page)
        page.wait_for_url("**/ui/models/again/versions/1.0.0*")
        page.close()
    finally:
        second.stop()
