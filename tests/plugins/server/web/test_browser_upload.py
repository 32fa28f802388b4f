"""What becomes of uploads that go wrong, in a real browser: the reason is told, and nothing has to be chosen anew."""

from __future__ import annotations

import os
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
REGISTER = re.compile("/ui/upload$")
#: Ends in white space of three kinds, which tells each part of the file from the others.
THREE_PARTS = grid(pad=0) + b" " * (16 << 20) + b"\n" * (16 << 20) + b"\t" * (1 << 20)
#: Changes a byte of the second part, behind the page's back.
BAD_WAY = """() => {
  const honest = window.fetch;
  let parts = 0;
  window.fetch = (url, options) => {
    if (options.method !== "PATCH" || ++parts !== 2) return honest(url, options);
    return honest(url, { ...options, body: new Blob(["?", options.body.slice(1)]) });
  };
}"""


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


def stored(folder: Path, name: str) -> bytes:
    """The file of the one version of a model."""
    (entry,) = ModelRegistry(folder).list_models(name=name)
    return entry.blob(entry.files[0].sha256).read_bytes()


@pytest.mark.parametrize("kept", [0, 5 << 20, 20 << 20], ids=["nothing", "less than a part", "more than a part"])
def test_what_the_server_could_not_keep_is_sent_again(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path, kept: int
) -> None:
    seen: list[int] = []

    def lose(route: Route) -> None:
        seen.append(int(route.request.headers["upload-offset"]))
        if len(seen) != 3:
            return route.continue_()
        (file,) = (folder / "server" / "uploads").glob("*/0")
        os.truncate(file, kept)
        return route.fulfill(status=503, json={"error": "StorageError", "status": 503, "title": "the disk refused"})

    page = chosen(context, server.url, THREE_PARTS, tmp_path, "whole")
    page.route(PARTS, lose)
    send(page)
    page.wait_for_url("**/ui/models/whole/versions/1.0.0*")
    assert stored(folder, "whole") == THREE_PARTS
    assert seen[:4] == [0, 16 << 20, 32 << 20, kept]
    page.close()


def test_a_file_that_came_whole_before_the_server_ended_is_not_sent_again(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path
) -> None:
    seen: list[int] = []

    def keep(route: Route) -> None:
        seen.append(int(route.request.headers["upload-offset"]))
        if len(seen) != 2:
            return route.continue_()
        (file,) = (folder / "server" / "uploads").glob("*/0")
        with file.open("ab") as opened:
            opened.write(THREE_PARTS[16 << 20 :])
        return route.abort()

    page = chosen(context, server.url, THREE_PARTS, tmp_path, "ended")
    page.route(PARTS, keep)
    send(page)
    page.wait_for_url("**/ui/models/ended/versions/1.0.0*")
    assert stored(folder, "ended") == THREE_PARTS
    assert seen == [0, 16 << 20, len(THREE_PARTS)]
    page.close()


def test_bytes_that_change_on_their_way_are_noticed_and_sent_again(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path
) -> None:
    answers: list[int] = []
    page = chosen(context, server.url, THREE_PARTS, tmp_path, "changed")
    page.on("response", lambda response: answers.append(response.status) if PARTS.search(response.url) else None)
    page.evaluate(BAD_WAY)
    send(page)
    page.wait_for_url("**/ui/models/changed/versions/1.0.0*")
    assert answers == [200, 422, 200, 200]
    assert stored(folder, "changed") == THREE_PARTS
    page.close()


def test_files_go_in_parts_also_where_the_browser_computes_no_digests(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path
) -> None:
    seen: list[str | None] = []
    page = chosen(context, server.url, THREE_PARTS, tmp_path, "plain")
    page.on("request", lambda told: seen.append(told.headers.get("content-digest")) if PARTS.search(told.url) else None)
    page.evaluate("Object.defineProperty(crypto, 'subtle', { value: undefined })")  # as on a page that came by HTTP
    send(page)
    page.wait_for_url("**/ui/models/plain/versions/1.0.0*")
    assert seen == [None] * 3
    assert stored(folder, "plain") == THREE_PARTS
    page.close()


@pytest.mark.parametrize("status", [None, 504], ids=["the connection breaks", "a proxy does not wait"])
def test_a_version_is_made_once_if_the_answer_that_tells_of_it_is_lost(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path, status: int | None
) -> None:
    made: list[int] = []

    def lose(route: Route) -> None:
        answer = route.fetch()
        made.append(answer.status)
        if len(made) > 1:
            route.fulfill(response=answer)
        elif status is None:
            route.abort()
        else:
            route.fulfill(status=status, body="<h1>Gateway Timeout</h1>")

    page = chosen(context, server.url, THREE_PARTS, tmp_path, "once")
    page.route(REGISTER, lose)
    send(page)
    page.wait_for_url("**/ui/models/once/versions/1.0.0*")
    assert made == [201, 201]
    assert stored(folder, "once") == THREE_PARTS
    page.close()


def test_a_version_that_is_being_made_is_waited_for(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path
) -> None:
    busy = {"error": "ConflictError", "status": 409, "title": "it is being registered already"}
    answers = iter([busy] * 2)

    def hold(route: Route) -> None:
        answer = next(answers, None)
        route.continue_() if answer is None else route.fulfill(status=409, json=answer)

    page = chosen(context, server.url, THREE_PARTS, tmp_path, "busy")
    page.route(REGISTER, hold)
    send(page)
    page.wait_for_url("**/ui/models/busy/versions/1.0.0*")
    assert next(answers, None) is None  # it was told twice to wait
    assert stored(folder, "busy") == THREE_PARTS
    page.close()


def test_a_version_that_was_made_is_found_by_a_second_click_and_nothing_is_sent_again(
    context: BrowserContext, server: Running, folder: Path, tmp_path: Path
) -> None:
    parts: list[str] = []
    page = chosen(context, server.url, THREE_PARTS, tmp_path, "clicked")
    page.on("request", lambda request: parts.append(request.url) if PARTS.search(request.url) else None)

    def lose(route: Route) -> None:
        assert route.fetch().status == 201
        route.abort()

    page.route(REGISTER, lose)
    send(page)
    page.get_by_text("Trying again").wait_for()
    page.unroute(REGISTER)
    page.reload()
    page.locator("[data-files]").set_input_files(tmp_path / "m.grid")
    page.get_by_label("Name", exact=True).fill("clicked")
    sent = len(parts)
    send(page)
    page.wait_for_url("**/ui/models/clicked/versions/1.0.0*")
    assert (sent, len(parts)) == (3, 3)
    assert stored(folder, "clicked") == THREE_PARTS
    page.goto(f"{server.url}/ui/upload")  # the same files once more, in other words: another version
    page.locator("[data-files]").set_input_files(tmp_path / "m.grid")
    page.get_by_label("Name", exact=True).fill("clicked")
    page.get_by_label("Version").fill("2.0.0")
    send(page)
    page.wait_for_url("**/ui/models/clicked/versions/2.0.0*")
    page.close()


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
        assert stored(folder, "again") == grid()
        page.close()
    finally:
        second.stop()
