"""What people do on the pages, done in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from grid_plugin import grid
from running import Running
from watching import Watched, new_context, watched
from webhook_receiver import receiving

from model_registry import ModelRegistry

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """Shared, so that scripts and styles are fetched once."""
    made = new_context(chromium)
    yield made
    made.close()


@pytest.fixture
def watching(context: BrowserContext, server: Running) -> Iterator[Watched]:
    with watched(context, server.url) as made:
        yield made


def expect_rows(page: Page, *names: str) -> None:
    page.wait_for_function(
        "names => [...document.querySelectorAll('[data-row]')].map(e => e.textContent).join() === names",
        arg=",".join(names),
    )


def test_the_list_follows_what_is_typed(watching: Watched) -> None:
    page = watching.open("/ui/models")
    box = page.get_by_role("searchbox")
    box.press_sequentially("rank", delay=20)
    expect_rows(page, "team/ranker")
    assert page.url.endswith("/ui/models?q=rank")
    assert page.locator("time").first.get_attribute("title")
    box.fill("metrics.accuracy >= ")
    page.get_by_role("alert").wait_for()
    assert "column" in page.get_by_role("alert").inner_text()
    box.fill("metrics.accuracy >= 0.95 order by metrics.accuracy")
    expect_rows(page, "digits")
    page.reload()
    expect_rows(page, "digits")
    box.fill("")
    expect_rows(page, "digits", "hostile", "team/ranker", "team/spare", "wide")


def test_a_filter_and_an_order_are_a_click_each(watching: Watched) -> None:
    page = watching.open("/ui/models")
    page.locator(".chips").get_by_role("link", name="grid").click()
    page.get_by_role("columnheader", name="Size").get_by_role("link").click()
    page.wait_for_url("**/ui/models?format=grid&sort=size")
    sizes = page.locator("tbody tr").count()
    assert sizes == 8
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Size")


def test_an_alias_is_moved_by_a_click_and_moved_back_by_another(watching: Watched, folder: Path) -> None:
    registry = ModelRegistry(folder)
    page = watching.open("/ui/models/digits")
    page.get_by_role("button", name="Move @champion to 1.3.0").click()
    page.get_by_role("status").get_by_text("Moved").wait_for()
    assert registry.aliases("digits") == {"champion": "1.3.0"}
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    page.get_by_role("status").get_by_text("Taken back").wait_for()
    assert registry.aliases("digits") == {"champion": "1.1.0"}


def test_of_many_aliases_one_is_chosen_and_moved_by_a_click_on_a_version(
    watching: Watched, folder: Path, tmp_path: Path
) -> None:
    registry = ModelRegistry(folder)
    (tmp_path / "m.grid").write_bytes(grid())
    for version in ("0.1", "0.2"):
        registry.register_model("team/named", tmp_path / "m.grid", version=version)
    for alias in ("canary", "shadow", "staging"):
        registry.set_alias("team/named", alias, "0.1")
    page = watching.open("/ui/models/team%2Fnamed")
    page.get_by_label("Alias to move").select_option("shadow")
    page.get_by_role("button", name="Move the chosen alias to 0.2").click()
    page.get_by_role("status").get_by_text("Moved").wait_for()
    assert registry.aliases("team/named") == {"canary": "0.1", "shadow": "0.2", "staging": "0.1"}
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    page.get_by_role("status").get_by_text("Taken back").wait_for()
    assert registry.aliases("team/named")["shadow"] == "0.1"
    registry.remove_model("team/named")


def test_versions_are_ticked_to_be_compared(watching: Watched) -> None:
    page = watching.open("/ui/models/digits")
    page.get_by_label("Compare 1.0.0").check()
    page.get_by_label("Compare 1.3.0").check()
    page.get_by_role("button", name="Compare the ticked ones").click()
    page.get_by_role("heading", name="A → B digits:1.0.0").wait_for()
    assert page.get_by_label("A", exact=True).input_value() == "digits:1.3.0"


def test_what_was_done_is_told_once(watching: Watched) -> None:
    page = watching.open("/ui/models/digits?done=alias_moved&alias=champion&version=1.1.0&metric=loss")
    page.get_by_role("status").get_by_text("Moved").wait_for()
    assert page.url.endswith("/ui/models/digits?metric=loss")
    page.get_by_role("link", name="Close").click()
    assert page.get_by_role("status").count() == 0


def test_a_file_is_uploaded_by_the_form(watching: Watched, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new.grid").write_bytes(grid())
    page = watching.open("/ui/upload")
    with page.expect_file_chooser() as choosing:
        page.get_by_text("Choose files").click()
    choosing.value.set_files(tmp_path / "new.grid")
    assert page.locator("[data-chosen]").inner_text().split() == ["new.grid", "4.21", "kB"]
    page.get_by_label("Name", exact=True).fill("by-form")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/ui/models/by-form/versions/1.0.0*")
    assert ModelRegistry(folder).resolve("by-form").metadata.format == "grid"


def test_files_are_uploaded_by_dropping_them(watching: Watched, folder: Path) -> None:
    page = watching.open("/ui/upload")
    page.evaluate(
        """content => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([content], "model.grid"));
          transfer.items.add(new File(["# hello"], "README.md"));
          const place = document.querySelector("[data-drop]");
          place.dispatchEvent(new DragEvent("dragover", { dataTransfer: transfer, bubbles: true, cancelable: true }));
          place.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        grid().decode(),
    )
    page.get_by_text("README.md").wait_for()
    page.get_by_label("Name", exact=True).fill("by-drop")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/ui/models/by-drop/versions/1.0.0*")
    assert [file.path for file in ModelRegistry(folder).resolve("by-drop").files] == ["README.md", "model.grid"]


def test_a_folder_is_uploaded_under_the_paths_within_it(watching: Watched, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "model.grid").write_bytes(grid())
    (tmp_path / "model" / "deep" / "notes.txt").write_text("notes")
    page = watching.open("/ui/upload")
    page.locator("input[data-folder]").set_input_files(tmp_path / "model")
    page.get_by_label("Name", exact=True).fill("by-folder")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/ui/models/by-folder/versions/1.0.0*")
    assert [file.path for file in ModelRegistry(folder).resolve("by-folder").files] == ["deep/notes.txt", "model.grid"]


def test_a_large_file_goes_on_after_the_page_was_closed(watching: Watched, folder: Path, tmp_path: Path) -> None:
    content = grid(pad=36 << 20)
    (tmp_path / "large.grid").write_bytes(content)
    page = watching.open("/ui/upload")
    offsets: list[str | None] = []

    def only_the_first(route: Route) -> None:
        offsets.append(route.request.header_value("Upload-Offset"))
        if len(offsets) == 1:  # the others hang, as if the line were dead
            route.continue_()

    parts = re.compile("/ui/uploads/[^/]+/files/")
    page.route(parts, only_the_first)
    page.locator("[data-files]").set_input_files(tmp_path / "large.grid")
    page.get_by_label("Name", exact=True).fill("by-parts")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_function("() => document.querySelector('[data-progress] progress').value > 0.4")
    page.reload()
    page.unroute(parts)
    page.locator("[data-files]").set_input_files(tmp_path / "large.grid")
    page.get_by_text("Go on from 44%").wait_for()
    assert page.get_by_label("Name", exact=True).input_value() == "by-parts"
    with page.expect_request(parts) as sent:
        page.get_by_role("button", name="Upload").click()
    assert sent.value.header_value("Upload-Offset") == str(16 << 20)
    page.wait_for_url("**/ui/models/by-parts/versions/1.0.0*")
    assert ModelRegistry(folder).resolve("by-parts").size == len(content)
    page.goto(page.url.partition("/ui/")[0] + "/ui/upload")
    assert page.evaluate("localStorage.getItem('uploads')") == "[]"


def test_a_list_of_jobs_shows_new_ones_and_their_end_without_being_loaded_again(
    watching: Watched, web: httpx.Client, gate: Path
) -> None:
    submit(web, "live-1")
    page = watching.open("/ui/jobs")
    page.evaluate("window.isTheSame = true")
    page.locator(".state-running, .state-queued").first.wait_for()
    page.locator("[data-row]").first.focus()
    second = submit(web, "live-2")
    row = page.locator(f"[data-id='{second}']")
    row.wait_for()
    gate.unlink()
    row.locator(".state-succeeded").wait_for()
    assert "Succeeded" in page.locator("[data-live-said]").inner_text()
    assert page.evaluate("document.activeElement.matches('[data-row]') && window.isTheSame")
    page.locator("[data-busy]").wait_for(state="detached")


def test_a_list_in_which_nothing_runs_asks_for_nothing_until_somebody_comes_back(
    chromium: Browser, server: Running
) -> None:
    context = new_context(chromium)  # of its own: so is the clock
    context.clock.install()
    asked: list[str] = []
    with watched(context, server.url) as watching:
        watching.page.on("request", lambda request: asked.append(request.url) if "fragment=" in request.url else None)
        page = watching.open("/ui/jobs")
        page.clock.fast_forward(60_000)
        page.evaluate("0")
        assert asked == []
        with page.expect_response(lambda response: "fragment=" in response.url):
            page.evaluate("window.dispatchEvent(new Event('focus'))")
    context.close()


def submit(web: httpx.Client, name: str) -> str:
    """Start a slow conversion; its id."""
    fields = {"version": "1.0.0", "to": "slow", "new_name": name}
    return web.post("/ui/models/digits/convert", data=fields).headers["location"].rpartition("/")[2]


def test_what_is_sent_to_a_webhook_is_watched(watching: Watched) -> None:
    with receiving() as receiver:
        page = watching.open("/ui/webhooks")
        page.get_by_label("Address").fill(receiver.url())
        page.get_by_role("button", name="Make a webhook").click()
        page.get_by_text("whsec_").wait_for()
        page.locator("[data-row]").get_by_text(receiver.url()).click()
        page.get_by_role("button", name="Send a test").click()
        page.locator("[data-rows] .state-delivered").wait_for()
        page.get_by_text("Message").click()
        page.get_by_text('"action": "ping"').wait_for()
        page.get_by_text("Delete…").click()
        page.get_by_role("button", name="Yes, delete").click()
        page.get_by_role("status").get_by_text("The webhook is deleted").wait_for()


def test_a_job_is_followed_until_its_result(watching: Watched, gate: Path) -> None:
    page = watching.open("/ui/models/digits/versions/1.2.0")
    convert = page.locator("section", has=page.get_by_role("heading", name="Convert"))
    convert.get_by_label("Name of the result").fill("digits-made")
    convert.get_by_role("button", name="Convert").click()
    page.wait_for_url("**/ui/jobs/*")
    page.locator(".state-running").wait_for()
    page.locator("[data-job-what]").get_by_text("digits:1.2.0").wait_for()
    gate.unlink()
    page.locator(".state-succeeded").wait_for()
    page.get_by_role("link", name="See the result").click()
    page.wait_for_url("**/ui/models/digits-made/versions/1.0.0")


def test_what_is_inside_is_fetched_when_it_is_unfolded(watching: Watched) -> None:
    page = watching.open("/ui/models/digits/versions/1.2.0")
    assert page.get_by_text("Linear(4, 4)").count() == 0
    page.get_by_text("Modules and tensors").click()
    page.get_by_text("Linear(4, 4)").wait_for()
    assert page.get_by_text("4 × 6").is_visible()


def test_the_theme_that_was_chosen_stays(watching: Watched) -> None:
    page = watching.open("/ui/models")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto(page.url)
    assert light != dark == page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_language_that_was_chosen_stays(watching: Watched) -> None:
    page = watching.open("/ui/models/digits?metric=loss")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("heading", name="各版本指标").wait_for()
    assert page.url.endswith("/ui/models/digits?metric=loss")
    assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_the_main_path_needs_no_mouse(watching: Watched, folder: Path) -> None:
    page = watching.open("/ui/models")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    page.keyboard.type("name = 'digits' order by version desc")
    expect_rows(page, "digits", "digits", "digits", "digits")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/models/digits/versions/1.2.0")
    page.get_by_role("link", name="digits", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/models/digits")
    move = page.get_by_role("button", name="Move @champion to 1.0.0")
    for _ in range(80):  # every control can be reached
        page.keyboard.press("Tab")
        if move.evaluate("element => element === document.activeElement"):
            break
    assert move.evaluate("element => getComputedStyle(element.parentElement).opacity") == "1"
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    assert ModelRegistry(folder).aliases("digits") == {"champion": "1.0.0"}
    page.get_by_role("status").get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Taken back").wait_for()


def test_pages_work_without_scripts(chromium: Browser, server: Running) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    page.goto(f"{server.url}/ui/models")
    page.get_by_role("searchbox").fill("ranker")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="team/ranker").click()
    page.get_by_text("Modules and tensors").click()
    page.get_by_role("link", name="Show them").click()
    page.get_by_text("Linear(4, 4)").wait_for()
    context.close()
