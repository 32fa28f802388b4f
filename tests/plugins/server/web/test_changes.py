"""What forms change, sent as a browser without scripts does."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from grid_plugin import grid

from model_registry import ModelRegistry


@pytest.fixture(scope="module")
def registry(folder: Path) -> ModelRegistry:
    return ModelRegistry(folder)


def submit(web: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Send a form, and follow to where it leads."""
    response = web.post(path, data=fields, headers={"Origin": str(web.base_url).rstrip("/")})
    assert response.status_code == 303, response.text
    return web.get(response.headers["location"])


def ended(web: httpx.Client, job: str, state: str = "succeeded") -> str:
    """The page of a job, once that has ended."""
    deadline = time.monotonic() + 60
    while f"state-{state}" not in (page := web.get(job).text):
        assert "state-failed" not in page, page
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return page


def test_an_alias_is_moved_and_that_is_taken_back(web: httpx.Client, registry: ModelRegistry) -> None:
    page = submit(web, "/ui/models/digits/aliases", alias="champion", version="1.2.0").text
    assert registry.aliases("digits")["champion"] == "1.2.0"
    undo = re.findall(r'action="([^"]+/aliases/champion/undo)"', page)[0]
    assert "Taken back" in submit(web, undo).text
    assert registry.aliases("digits")["champion"] == "1.1.0"


@pytest.mark.parametrize("button", ["that of the message", "that of the list"])
def test_a_move_is_not_taken_back_if_somebody_moved_the_alias_since(
    web: httpx.Client, registry: ModelRegistry, button: str
) -> None:
    registry.set_alias("digits", "busy", "1.0.0")
    page = submit(web, "/ui/models/digits/aliases", alias="busy", version="1.2.0")
    seen = page.text if button == "that of the message" else web.get("/ui/models/digits").text
    move = re.findall(r'/aliases/busy/undo"><input type="hidden" name="move" value="(\d+)"', seen)[0]
    registry.set_alias("digits", "busy", "1.3.0")
    registry.set_alias("digits", "busy", "1.2.0")  # where the move left it, but by others
    refused = web.post("/ui/models/digits/aliases/busy/undo", data={"move": move}, headers={"Accept-Language": "zh"})
    assert refused.status_code == 409
    assert "<h1>别名已被他人移动</h1>" in refused.text
    assert "it names digits:1.2.0" in refused.text
    registry.set_alias("digits", "busy", "1.3.0")
    assert web.post("/ui/models/digits/aliases/busy/undo", data={"move": "overtaken"}).status_code == 409
    assert registry.aliases("digits")["busy"] == "1.3.0"
    registry.delete_alias("digits", "busy")
    gone = web.post("/ui/models/digits/aliases/busy/undo", data={"move": move})
    assert "it is gone" in gone.text


def test_of_many_aliases_each_can_be_moved_from_the_row_of_a_version(
    web: httpx.Client, registry: ModelRegistry
) -> None:
    names = [f"stage-{number}" for number in range(9)]
    for name in names:
        registry.set_alias("digits", name, "1.0.0")
    page = web.get("/ui/models/digits").text
    form = page.partition('<form id="move"')[2].partition("</form>")[0]
    assert {*names} <= {*re.findall(r'<option value="([^"]+)"', form)}
    row = page.partition("data-row>1.3.0</a>")[2].partition("</tr>")[0]
    assert '<button form="move" name="version" value="1.3.0"' in row
    submit(web, re.findall(r'action="([^"]+)"', form)[0], alias="stage-8", version="1.3.0")
    assert registry.aliases("digits")["stage-8"] == "1.3.0"
    for name in names:
        registry.delete_alias("digits", name)


def test_an_alias_is_made_and_deleted(web: httpx.Client, registry: ModelRegistry) -> None:
    submit(web, "/ui/models/digits/aliases", alias="new", version="latest")
    assert registry.aliases("digits")["new"] == "1.3.0"
    submit(web, "/ui/models/digits/aliases/new/delete")
    assert "new" not in registry.aliases("digits")


def test_tags_of_a_model_and_of_a_version_are_edited(web: httpx.Client, registry: ModelRegistry) -> None:
    page = submit(web, "/ui/models/team%2Franker/tags", key="owner", value="<b>us</b>")
    assert registry.tags("team/ranker") == {"owner": "<b>us</b>"}
    assert "&lt;b&gt;us" in page.text
    submit(web, "/ui/models/team%2Franker/tags", key="checked", value="yes", version="0.1")
    assert registry.tags("team/ranker", "0.1")["checked"] == "yes"
    submit(web, "/ui/models/team%2Franker/tags/delete", key="owner")
    assert registry.tags("team/ranker") == {}


def test_a_description_is_edited_and_shown_as_markdown(web: httpx.Client, registry: ModelRegistry) -> None:
    page = submit(web, "/ui/models/wide/description", description="**bold**\r\n<script>x</script>")
    assert registry.description("wide") == "**bold**\n<script>x</script>"
    assert "<strong>bold</strong>" in page.text
    assert "<script>x" not in page.text
    submit(web, "/ui/models/wide/description", description="")
    assert registry.description("wide") is None


def test_what_is_removed_can_be_restored(web: httpx.Client, registry: ModelRegistry) -> None:
    page = submit(web, "/ui/models/team%2Fspare/remove", version="0.1")
    assert page.url.path == "/ui/removed"
    assert "team/spare" in page.text
    assert registry.get_model_info("team/spare") is None
    submit(web, "/ui/models/team%2Fspare/restore", version="0.1")
    assert registry.resolve("team/spare").version == "0.1"


def test_a_file_is_uploaded_by_the_form(web: httpx.Client, registry: ModelRegistry) -> None:
    files = [("file", ("small.grid", grid()))]
    fields = {"name": "fresh", "version": "", "format": "", "tags": "a, b", "performance_metrics": '{"f1": 0.5}'}
    response = web.post("/ui/upload", data=fields, files=files)
    assert response.status_code == 303
    assert response.headers["location"] == "/ui/models/fresh/versions/1.0.0?done=uploaded"
    entry = registry.resolve("fresh")
    assert list(entry.metadata.tags) == ["a", "b"]
    assert entry.metadata.performance_metrics == {"f1": 0.5}
    assert entry.metadata.format == "grid"


def test_a_file_is_uploaded_in_parts(web: httpx.Client, registry: ModelRegistry) -> None:
    json = {"Accept": "application/json"}
    content = grid(pad=100_000)
    upload = web.post("/ui/uploads", json={"files": [{"path": "m.grid", "size": len(content)}]}, headers=json).json()
    for begin in range(0, len(content), 40_000):
        said = {**json, "Upload-Offset": str(begin)}
        part = content[begin : begin + 40_000]
        assert web.patch(f"/ui/uploads/{upload['id']}/files/0", content=part, headers=said).status_code == 200
    told = web.get(f"/ui/uploads/{upload['id']}", headers=json).json()
    assert told["files"][0]["offset"] == len(content)
    made = web.post("/ui/upload", json={"upload": upload["id"], "name": "parted"}, headers=json)
    assert made.status_code == 201
    assert registry.resolve("parted").size == len(content)


def test_a_script_is_told_of_a_mistake_as_a_document(web: httpx.Client) -> None:
    response = web.post("/ui/upload", data={"name": "x"}, headers={"Accept": "application/json"})
    assert response.status_code >= 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.fixture
def job(web: httpx.Client) -> str:
    return submit(web, "/ui/models/digits/convert", version="1.0.0", to="slow", new_name="digits-slow").url.path


def test_a_conversion_is_a_job_that_leads_to_its_result(web: httpx.Client, registry: ModelRegistry, job: str) -> None:
    assert re.fullmatch(r"/ui/jobs/[0-9a-f]+", job)
    page = ended(web, job)
    target = re.findall(r'href="(/ui/models/digits-slow/versions/[^"]+)"', page)[0]
    assert web.get(target).status_code == 200
    assert registry.resolve("digits-slow").metadata.parents[0].relation == "converted"
    assert job.rpartition("/")[2] in web.get("/ui/jobs").text


def test_an_export_is_made_by_a_job_and_then_downloaded(web: httpx.Client) -> None:
    first = web.get("/ui/models/digits/export", params={"version": "1.2.0", "format": "slow"})
    assert first.status_code == 303
    page = ended(web, first.headers["location"])
    link = re.findall(r'href="(/ui/models/digits/export[^"]+)"', page)[0].replace("&amp;", "&")
    assert web.get(link).content.startswith(b'{"grid"')


def test_another_site_starts_no_export_by_a_link(web: httpx.Client) -> None:
    asked = {"version": "1.1.0", "format": "slow"}
    before = web.get("/ui/jobs").text.count("/ui/jobs/")
    for distance in ("cross-site", "same-site"):
        link = {"Sec-Fetch-Site": distance, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        refused = web.get("/ui/models/digits/export", params=asked, headers=link)
        assert refused.status_code == 403
        assert "a page of another site may not start an export" in refused.text
        assert web.get("/ui/models/digits", headers=link).status_code == 200
    assert web.get("/ui/jobs").text.count("/ui/jobs/") == before


def test_a_job_is_cancelled(web: httpx.Client, gate: Path) -> None:
    page = submit(web, "/ui/models/digits/convert", version="1.1.0", to="slow", new_name="never")
    submit(web, f"{page.url.path}/cancel")
    ended(web, page.url.path, "cancelled")


@pytest.fixture
def whole(registry: ModelRegistry, tmp_path: Path) -> Iterator[str]:
    """The name of a model that nobody has verified yet."""
    yield from registered(registry, tmp_path, "whole")


@pytest.fixture
def broken(registry: ModelRegistry, tmp_path: Path) -> Iterator[str]:
    """The name of a model of which a byte has changed on the disk."""
    for name in registered(registry, tmp_path, "broken"):
        entry = registry.resolve(name)
        path = entry.blob(entry.files[0].sha256)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        yield name


def registered(registry: ModelRegistry, folder: Path, name: str) -> Iterator[str]:
    name += secrets.token_hex(4)  # neither it nor its bytes are those of another test
    file = folder / f"{name}.grid"
    file.write_bytes(grid() + name.encode())
    registry.register_model(name, file)
    yield name
    registry.remove_model(name)


def badge(web: httpx.Client, name: str, version: str = "1.0.0") -> str:
    """What the page says of the version's bytes; empty if nothing."""
    return "".join(re.findall(r'<span class="badge (?:good|bad)">(\S+ \w+)', version_page(web, name, version)))


def version_page(web: httpx.Client, name: str, version: str = "1.0.0") -> str:
    return web.get(f"/ui/models/{name}/versions/{version}").text


def test_a_version_is_verified(web: httpx.Client, whole: str, broken: str) -> None:
    assert badge(web, whole) == ""
    assert "Every byte is as registered." in submit(web, f"/ui/models/{whole}/versions/1.0.0/verify").text
    assert badge(web, whole) == "✓ Verified"
    moment = re.findall(r'Verified <time datetime="([^"]+)"', version_page(web, whole))[0]
    assert abs(datetime.now(timezone.utc) - datetime.fromisoformat(moment)) < timedelta(minutes=5)
    submit(web, f"/ui/models/{broken}/versions/1.0.0/verify")
    assert badge(web, broken) == "✗ Damaged"


def test_what_the_api_verified_is_told_on_the_page(web: httpx.Client, whole: str, broken: str) -> None:
    web.get(f"/model-registry/models/{whole}/verify").raise_for_status()
    assert badge(web, whole) == ""  # not every byte was read again
    assert web.get(f"/model-registry/models/{whole}/verify?deep=true").json()["intact"] is True
    assert badge(web, whole) == "✓ Verified"
    web.get(f"/model-registry/models/{broken}/verify?deep=true")
    assert badge(web, broken) == "✗ Damaged"


def test_a_validation_leaves_a_report(web: httpx.Client, broken: str) -> None:
    ended(web, submit(web, "/ui/validate", deep="on").url.path)
    report = web.get("/ui/validate").text
    assert "blob-damaged" in report
    assert f'<a href="/ui/models/{broken}/versions/1.0.0">{broken}:1.0.0</a>, ' in report


def test_a_validation_of_every_byte_is_told_on_the_page_of_each_version(
    web: httpx.Client, registry: ModelRegistry, tmp_path: Path, whole: str, broken: str
) -> None:
    ended(web, submit(web, "/ui/validate").url.path)
    assert badge(web, whole) == ""  # not every byte was read
    assert badge(web, broken) == "✗ Damaged"  # a file that was changed is read, and found out
    ended(web, submit(web, "/ui/validate", deep="on").url.path)
    assert badge(web, whole) == "✓ Verified"
    assert badge(web, broken) == "✗ Damaged"
    ended(web, submit(web, "/ui/validate").url.path)  # takes back nothing
    assert badge(web, whole) == "✓ Verified"
    assert badge(web, broken) == "✗ Damaged"
    (tmp_path / "later.grid").write_bytes(grid() + b"later")
    registry.register_model(whole, tmp_path / "later.grid")
    assert badge(web, whole, "1.0.1") == ""


def test_a_version_with_a_date_of_long_ago_that_comes_after_a_validation_was_not_read_by_it(
    web: httpx.Client, registry: ModelRegistry, tmp_path: Path
) -> None:
    ended(web, submit(web, "/ui/validate", deep="on").url.path)
    (tmp_path / "old.grid").write_bytes(grid() + b"old")
    elsewhere = ModelRegistry(tmp_path / "elsewhere")
    entry = elsewhere.register_model("from-elsewhere", tmp_path / "old.grid")
    long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
    registry.receive_version(entry.digest, entry.blob, registered_at=long_ago)
    assert registry.resolve("from-elsewhere").registered_at == long_ago
    assert badge(web, "from-elsewhere") == ""
    registry.remove_model("from-elsewhere")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/ui/models/digits/aliases", {"alias": "", "version": "1.0.0"}),
        ("/ui/models/digits/aliases", {"alias": "no such sign!", "version": "1.0.0"}),
        ("/ui/models/digits/aliases", {"alias": "x", "version": "77"}),
        ("/ui/models/digits/tags", {"key": "<b>", "value": "x"}),
        ("/ui/models/digits/convert", {"version": "1.0.0", "to": "nothing"}),
        ("/ui/models/digits/convert", {"version": "1.0.0", "to": "x" * 200}),
        ("/ui/tokens", {"role": "king"}),
        ("/ui/tokens", {"role": "reader", "days": "-1"}),
    ],
)
def test_a_mistake_in_a_form_is_told_on_a_page(web: httpx.Client, path: str, fields: dict[str, str]) -> None:
    response = web.post(path, data=fields)
    # A conversion that cannot be is told by its job.
    assert response.status_code in (404, 422) or (
        response.status_code == 303 and "/ui/jobs/" in response.headers["location"]
    )
    assert "Traceback" not in response.text


def test_a_form_of_another_site_changes_nothing(web: httpx.Client, registry: ModelRegistry) -> None:
    before = registry.aliases("digits")
    fields = {"alias": "champion", "version": "1.0.0"}
    for origin in ("https://evil.example", "null"):
        response = web.post("/ui/models/digits/aliases", data=fields, headers={"Origin": origin})
        assert response.status_code == 403
    assert registry.aliases("digits") == before


def test_a_form_that_is_none_or_too_large_is_refused(web: httpx.Client) -> None:
    assert web.post("/ui/models/digits/tags", content=b"\xff=%ff").status_code == 400
    assert web.post("/ui/models/digits/tags", content=b"a=" + b"b" * (2 << 20)).status_code == 413


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_form_that_changed_on_its_way_is_refused_and_says_why(
    web: httpx.Client, registry: ModelRegistry, accept: str
) -> None:
    before = registry.tags("digits")
    wrong = f"sha-256=:{base64.b64encode(sha256(b'other').digest()).decode()}:"
    headers = {"Accept": accept, "Content-Digest": wrong, "Content-Type": "application/x-www-form-urlencoded"}
    refused = web.post("/ui/models/digits/tags", content="key=a&value=b", headers=headers)
    assert refused.status_code == 422
    assert "What came is not what was announced" in refused.text
    assert sha256(b"other").hexdigest() in refused.text
    assert "send it again" in refused.text  # the hint
    assert registry.tags("digits") == before


def test_a_body_that_is_too_large_says_what_to_do(web: httpx.Client) -> None:
    refused = web.post("/ui/uploads", content=b"{" + b" " * (9 << 20), headers={"Content-Type": "application/json"})
    assert refused.status_code == 413
    assert "files of any size are sent in parts" in refused.text


def test_a_body_that_is_no_text_is_refused_as_such(web: httpx.Client) -> None:
    refused = web.post("/ui/uploads", content=b'"\xff"', headers={"Content-Type": "application/json"})
    assert refused.status_code == 400
    assert "What was sent cannot be read" in refused.text
