"""Pages as a browser without scripts gets them."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest
from web_models import HOSTILE

PAGES = [
    "/ui/models",
    "/ui/models?q=digits&sort=-size",
    "/ui/models/digits",
    "/ui/models/digits/versions/1.1.0",
    "/ui/models/digits/versions/1.1.0/inside",
    "/ui/models/team%2Franker",
    "/ui/models/hostile",
    "/ui/models/hostile/versions/1.0.0",
    "/ui/models/hostile/versions/1.0.0/inside",
    "/ui/models/wide/versions/1.0.0/inside?from=9000",
    "/ui/compare",
    "/ui/compare?a=digits:1.0.0&b=digits:1.1.0&c=hostile&differences=true",
    "/ui/upload",
    "/ui/jobs",
    "/ui/validate",
    "/ui/storage",
    "/ui/plugins",
    "/ui/audit?verify=true",
    "/ui/tokens",
    "/ui/webhooks",
    "/ui/removed",
    "/ui/login",
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_there_in_both_languages_and_runs_only_our_scripts(
    web: httpx.Client, path: str, language: str
) -> None:
    response = web.get(path, headers={"Accept-Language": language})
    assert response.status_code == 200
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in response.text
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    scripts = re.findall(r"<script[^>]*>", response.text)
    assert len(scripts) == 2
    assert all('src="/ui/static/' in script for script in scripts)
    assert not re.search(r"<[^>]+\s(on\w+|style)\s*=", response.text)
    assert not re.search(r'(src|href|action)="\s*(javascript|data|//)', response.text, re.IGNORECASE)


@pytest.mark.parametrize("path", [page for page in PAGES if "hostile" in page] + ["/ui/models"])
def test_a_hostile_text_is_shown_as_text(web: httpx.Client, path: str) -> None:
    page = web.get(path).text
    assert "<script>alert" not in page
    assert HOSTILE[:20] in unescape(page) or "compare" in path


def test_the_list_has_every_model_once_with_its_latest_version(web: httpx.Client) -> None:
    page = web.get("/ui/models").text
    assert re.findall(r"data-row>([^<]+)", page) == ["digits", "hostile", "team/ranker", "team/spare", "wide"]
    assert "5 models" in page
    assert "1.3.0" in page
    assert "1.2.0" not in page
    assert "@champion" in page
    assert "attempt 3" in page


def test_a_search_shows_the_versions_that_fulfil_it(web: httpx.Client) -> None:
    page = web.get("/ui/models", params={"q": "metrics.accuracy > 0.93"}).text
    assert re.findall(r'class="version" href="[^"]+">([^<]+)', page) == ["1.2.0", "1.3.0"]


def test_a_mistake_in_a_search_is_marked_where_it_is(web: httpx.Client) -> None:
    response = web.get("/ui/models", params={"q": "size > and"})
    assert response.status_code == 422
    assert "size &gt; <mark>a</mark>nd" in response.text
    assert web.get("/ui/models", params={"q": "size > and", "fragment": "true"}).status_code == 200


def test_a_fragment_is_only_the_part_that_changes(web: httpx.Client) -> None:
    part = web.get("/ui/models", params={"q": "digits", "fragment": "true"}).text
    assert "<html" not in part
    assert "digits" in part


def test_a_model_shows_its_card_lineage_and_metrics(web: httpx.Client) -> None:
    page = web.get("/ui/models/digits").text
    assert "Reads <strong>digits</strong>" in page
    assert "remote picture" in page
    assert "evil.example" not in page
    assert 'href="javascript' not in page.lower()
    assert "<script>" not in page
    assert '<img src="https' not in page
    assert page.count('class="box') == 4
    assert "derived" in page
    assert page.count("<circle") >= 4 + 2
    other = web.get("/ui/models/digits", params={"metric": "loss"}).text
    assert re.search(r'aria-current="true">loss', other)


def test_a_version_tells_its_files_facts_and_how_to_use_it(web: httpx.Client) -> None:
    page = unescape(web.get("/ui/models/digits/versions/1.1.0").text)
    assert "model.grid" in page
    assert "README.md" in page
    assert "Ada" in page
    assert "registry.load_model('digits', '1.1.0')" in page
    assert f'ModelRegistry("{str(web.base_url).rstrip("/")}")' in page


def test_what_is_inside_is_told_by_layer(web: httpx.Client) -> None:
    page = web.get("/ui/models/digits/versions/1.1.0/inside").text
    assert "Linear(4, 4)" in page
    assert "4 × 5" in page
    wide = web.get("/ui/models/wide/versions/1.0.0/inside").text
    assert "10,000" in wide
    assert wide.count("<tr>") < 2500
    assert "from=1000" in wide
    assert "from=2000" in web.get("/ui/models/wide/versions/1.0.0/inside?from=1000").text


def test_versions_are_compared_side_by_side(web: httpx.Client) -> None:
    page = web.get("/ui/compare", params={"a": "digits:1.0.0", "b": "digits:1.1.0", "c": "digits@champion"}).text
    assert re.findall(r'<span class="of">digits:</span>([^<]+)', page)[:3] == ["1.0.0", "1.1.0", "1.1.0"]
    assert page.count("digits:1.1.0</h2>") == 2
    assert "layer.weight" in page
    assert "other shape" in page


def test_a_download_is_the_file(web: httpx.Client) -> None:
    response = web.get("/ui/models/digits/download", params={"version": "1.0.0", "path": "model.grid"})
    assert response.content.startswith(b'{"grid"')
    assert "attachment" in response.headers["content-disposition"]
    assert response.headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/ui/models/nothing", 404, "nothing"),
        ("/ui/models/digits/versions/9", 404, "digits"),
        ("/ui/nowhere", 404, "There is no such page."),
        ("/ui/jobs/0123456789abcdef", 422, "no job"),
        ("/ui/compare?a=digits&b=nothing", 404, "nothing"),
        ("/ui/models?after=!!", 422, ""),
        ("/ui/audit?since=yesterday", 422, "yesterday"),
        ("/ui/models/digits?before=x", 422, "before"),
    ],
)
def test_an_error_is_a_page_with_its_status(web: httpx.Client, path: str, status: int, said: str) -> None:
    response = web.get(path)
    assert response.status_code in (status, 404)
    assert response.status_code >= 400
    assert response.headers["content-type"].startswith("text/html")
    assert said in response.text


def test_a_chinese_reader_is_told_what_kind_of_error_it_is_and_what_it_says_itself(web: httpx.Client) -> None:
    page = web.get("/ui/models/nothing", headers={"Accept-Language": "zh"}).text
    assert "<h1>没有这个模型</h1>" in page
    assert "请检查名称" in page
    assert "there is no model &#39;nothing&#39;" in page.partition('<div lang="en">')[2]
    wrong = web.get("/ui/models", params={"q": "size > and"}, headers={"Accept-Language": "zh"}).text
    assert "无法理解" in wrong
    script = {"Accept-Language": "zh", "Accept": "application/json"}
    told = web.post("/ui/upload", data={"name": "a b"}, headers=script).json()
    assert told["title"] == "名称不可用"
    assert told["error"] == "InvalidNameError"


def test_a_form_larger_than_any_is_refused_by_its_status(web: httpx.Client) -> None:
    response = web.post("/ui/models/digits/tags", content=b"a=" + b"b" * (9 << 20))
    assert response.status_code == 413
    assert "too large" in response.text


def test_scripts_and_styles_are_kept_for_good_under_an_address_of_their_content(web: httpx.Client) -> None:
    page = web.get("/ui/login").text
    style = re.findall(r'href="(/ui/static/[0-9a-f]{16}/style\.css)"', page)[0]
    response = web.get(style)
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    old = web.get("/ui/static/0000000000000000/style.css")
    assert old.content == response.content
    assert old.headers["cache-control"] == "no-cache"
    assert web.get("/ui/static/0/..%2Ftexts.py").status_code == 404


def test_the_first_address_leads_to_the_models(web: httpx.Client) -> None:
    for path in ("/", "/ui", "/ui/"):
        response = web.get(path)
        assert response.status_code == 303
        assert response.headers["location"] == "/ui/models"
