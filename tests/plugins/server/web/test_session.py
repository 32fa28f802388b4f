"""Who may see and do what, where tokens are demanded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from running import Running

from model_registry_server.web.page import is_local


@pytest.fixture(scope="module")
def tokens(server: Running) -> dict[str, str]:
    with httpx.Client(base_url=f"{server.url}/model-registry", timeout=60) as http:

        def make(**order: object) -> str:
            return str(http.post("/tokens", json=order).json()["token"])

        admin = make(name="boss", role="admin")  # from now on, everybody needs one
        http.headers["Authorization"] = f"Bearer {admin}"
        team = make(name="team", role="reader", models=["team/*"])
        return {"admin": admin, "writer": make(name="writer", role="writer"), "team": team}


@pytest.fixture
def browser(server: Running, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def log_in(browser: httpx.Client, text: str, target: str = "/ui/models") -> httpx.Response:
    return browser.post("/ui/login", data={"token": text, "next": target})


def test_without_a_token_a_page_leads_to_the_login_and_back(browser: httpx.Client, tokens: dict[str, str]) -> None:
    response = browser.get("/ui/models/team%2Franker?metric=a%26b")
    assert response.status_code == 303
    assert response.headers["location"] == "/ui/login?next=/ui/models/team%252Franker%3Fmetric%3Da%2526b"
    form = browser.get(response.headers["location"])
    target = re.findall(r'name="next" value="(/ui/models[^"]*)"', form.text)[-1]
    assert log_in(browser, tokens["team"], target).headers["location"] == "/ui/models/team%2Franker?metric=a%26b"


def test_the_token_is_kept_where_no_script_and_no_other_site_gets_it(
    browser: httpx.Client, tokens: dict[str, str]
) -> None:
    cookie = log_in(browser, tokens["writer"]).headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/ui"):
        assert part in cookie
    assert "Max-Age" not in cookie
    assert "expires" not in cookie.lower()
    assert "Secure" not in cookie
    response = browser.post("/ui/login", data={"token": tokens["writer"]}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in response.headers["set-cookie"]


def test_the_api_never_looks_at_the_cookie(browser: httpx.Client, tokens: dict[str, str]) -> None:
    log_in(browser, tokens["admin"])
    assert browser.get("/ui/models").status_code == 200
    cookie = {"Cookie": f"token={tokens['admin']}"}
    assert browser.get("/model-registry/models", headers=cookie).status_code == 401


@pytest.mark.parametrize("wrong", ["", "nonsense", "mr_00000000_x"])
def test_a_wrong_token_is_refused_on_the_page(browser: httpx.Client, wrong: str) -> None:
    response = log_in(browser, wrong)
    assert response.status_code == 401
    assert "set-cookie" not in response.headers
    assert "alert" in response.text


def test_a_cookie_that_is_no_token_any_more_leads_to_the_login(browser: httpx.Client) -> None:
    browser.cookies.set("token", "gone", path="/ui")
    assert browser.get("/ui/models").headers["location"].startswith("/ui/login")
    assert browser.get("/ui/login").status_code == 200


def test_who_has_no_token_sees_no_way_to_pages_that_need_one(browser: httpx.Client) -> None:
    assert "/ui/jobs" not in browser.get("/ui/login").text
    assert "/ui/jobs" not in browser.get("/ui/nowhere").text


def test_words_that_somebody_else_put_into_an_address_are_not_shown(browser: httpx.Client) -> None:
    assert "Your account" not in browser.get("/ui/login?done=Your+account+was+closed").text


def test_logging_out_forgets_the_token(browser: httpx.Client, tokens: dict[str, str]) -> None:
    log_in(browser, tokens["writer"])
    browser.post("/ui/logout")
    assert browser.get("/ui/models").status_code == 303


def test_a_reader_of_a_team_sees_its_models_and_no_way_to_change_them(
    browser: httpx.Client, tokens: dict[str, str]
) -> None:
    log_in(browser, tokens["team"])
    page = browser.get("/ui/models").text
    assert re.findall(r"data-row>([^<]+)", page) == ["team/ranker", "team/spare"]
    assert "digits" not in page
    assert "digits" not in browser.get("/ui/models?q=size > 0").text
    model = browser.get("/ui/models/team%2Franker").text
    assert "/aliases" not in model
    assert "/remove" not in model
    for path in (
        "/ui/models/digits",
        "/ui/storage",
        "/ui/audit",
        "/ui/tokens",
        "/ui/webhooks",
        "/ui/upload",
        "/ui/compare?a=digits&b=team/ranker",
    ):
        response = browser.get(path)
        assert response.status_code == 403, path
        assert "hint" in response.text, path
    assert browser.post("/ui/models/team%2Franker/aliases", data={"alias": "x", "version": "0.1"}).status_code == 403


def test_addresses_of_further_pages_do_not_tell_of_models_that_one_may_not_see(
    browser: httpx.Client, tokens: dict[str, str], folder: Path
) -> None:
    log_in(browser, tokens["team"])
    first = unescape(browser.get("/ui/models", params={"q": "size > 0", "sort": "name"}).text)
    assert "data-more" not in first  # what follows is hidden: nothing says that there is more
    history = browser.get("/ui/models/team%2Franker").text
    assert "digits" not in history


def test_a_token_is_made_shown_once_and_revoked(browser: httpx.Client, tokens: dict[str, str]) -> None:
    log_in(browser, tokens["admin"])
    made = browser.post("/ui/tokens", data={"name": "ci", "role": "writer", "models": "team/* x", "days": "30"})
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    text = re.findall(r"<code>([^<]+)</code></pre>", made.text)[0]
    assert text not in browser.get("/ui/tokens").text
    headers = {"Authorization": f"Bearer {text}"}
    with httpx.Client(base_url=browser.base_url) as other:
        assert other.get("/model-registry/me", headers=headers).json()["models"] == ["team/*", "x"]
        revoke = re.findall(r'action="(/ui/tokens/[0-9a-f]+/revoke)"', made.text)[0]
        assert browser.post(revoke).status_code == 303
        assert other.get("/model-registry/me", headers=headers).status_code == 401


def test_changes_are_in_the_audit_log_by_the_names_that_the_api_gives_them(
    browser: httpx.Client, tokens: dict[str, str]
) -> None:
    log_in(browser, tokens["writer"])
    browser.post("/ui/models/team%2Franker/aliases", data={"alias": "prod", "version": "0.1"})
    log_in(browser, tokens["admin"])
    page = browser.get("/ui/audit", params={"actor": "writer", "action": "set_alias", "verify": "true"}).text
    assert "team/ranker" in page
    assert "The log is intact" in page


def test_the_language_is_remembered(browser: httpx.Client) -> None:
    response = browser.post("/ui/language", data={"to": "zh", "next": "/ui/login"})
    assert "Path=/ui" in response.headers["set-cookie"]
    assert "登录" in browser.get("/ui/login", headers={"Accept-Language": "en"}).text


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil", "/ui//evil", "javascript:x", "/model-registry/x"]
)
def test_nobody_is_led_to_another_site(browser: httpx.Client, tokens: dict[str, str], path: str) -> None:
    assert not is_local(path)
    assert log_in(browser, tokens["writer"], path).headers["location"] == "/ui/models"
    assert browser.post("/ui/language", data={"to": "en", "next": path}).headers["location"] == "/ui/models"
