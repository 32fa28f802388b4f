"""The pages of webhooks, as a browser without scripts uses them, with a real receiver."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from webhook_receiver import Answer, Receiver, eventually, receiving

from model_registry import ModelRegistry


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def make(web: httpx.Client, url: str, **fields: str) -> str:
    """The id of a new webhook."""
    made = web.post("/ui/webhooks", data={"url": url, "event.*": "on", **fields})
    assert made.status_code == 200, made.text
    ids: list[str] = re.findall(rf'/ui/webhooks/([0-9a-f]{{16}})" data-row>{re.escape(url)}', made.text)
    return ids[-1]


def delivered(web: httpx.Client, id: str, state: str) -> str:
    """The page of a webhook, once its newest delivery is in a state."""

    def look() -> str | None:
        page = web.get(f"/ui/webhooks/{id}").text
        states = re.findall(r'state state-(pending|delivered|failed)"', page)
        return page if states[:1] == [state] else None

    return str(eventually(look))


def test_a_webhook_is_made_and_its_secret_shown_once(web: httpx.Client, receiver: Receiver) -> None:
    fields = {"url": receiver.url(), "event.alias-set": "on", "event.registered": "on", "models": "team/* digits"}
    made = web.post("/ui/webhooks", data=fields)
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    secret = re.findall(r"<code>(whsec_[^<]+)</code>", made.text)
    assert len(secret) == 1
    again = web.get("/ui/webhooks").text
    assert secret[0] not in again
    told = web.get("/model-registry/webhooks").json()["webhooks"][-1]
    assert (told["url"], told["models"]) == (receiver.url(), ["team/*", "digits"])
    assert sorted(told["events"]) == ["alias-set", "registered"]
    assert "Alias set" in again


def test_a_test_arrives_and_is_told_with_its_message(web: httpx.Client, receiver: Receiver) -> None:
    id = make(web, receiver.url(), description="for the <b>build</b>")
    response = web.post(f"/ui/webhooks/{id}/test")
    assert response.headers["location"] == f"/ui/webhooks/{id}?done=ping_sent"
    assert receiver.wait(1)[0].json["event"]["action"] == "ping"
    page = unescape(delivered(web, id, "delivered"))
    assert '"action": "ping"' in page
    assert "<b>204</b>" in page
    assert "for the <b>build</b>" in page
    assert "Delivered" in web.get("/ui/webhooks").text


def test_a_change_of_a_model_is_told_with_a_link_to_it(web: httpx.Client, receiver: Receiver, folder: Path) -> None:
    id = make(web, receiver.url(), models="team/*")
    ModelRegistry(folder).set_alias("team/ranker", "told", "0.1")
    assert receiver.wait(1)[0].json["event"]["action"] == "alias-set"
    assert '<a href="/ui/models/team%2Franker">team/ranker:0.1</a>' in delivered(web, id, "delivered")


def test_what_failed_is_told_with_its_answer_and_sent_again_by_a_button(web: httpx.Client, receiver: Receiver) -> None:
    receiver.answers += [Answer(status=410, body=b"no more")]
    id = make(web, receiver.url())
    web.post(f"/ui/webhooks/{id}/test")
    page = delivered(web, id, "failed")
    assert "<b>410</b>" in page
    assert "answered 410: no more" in page
    assert "it answered 410 Gone" in page  # which ends a webhook
    assert "/retry" not in page
    assert web.post(f"/ui/webhooks/{id}/active", data={"to": "on"}).status_code == 303
    retry = re.findall(r'action="([^"]+/retry)"', web.get(f"/ui/webhooks/{id}").text)[0]
    assert web.post(retry).headers["location"] == f"/ui/webhooks/{id}?done=retried"
    delivered(web, id, "delivered")
    assert len({got.headers["webhook-id"] for got in receiver.wait(2)}) == 1


def test_a_webhook_is_made_inactive_and_deleted(web: httpx.Client, receiver: Receiver) -> None:
    id = make(web, receiver.url())
    web.post(f"/ui/webhooks/{id}/active", data={"to": "off"})
    page = web.get(f"/ui/webhooks/{id}").text
    assert "inactive" in page
    assert f"/ui/webhooks/{id}/test" not in page
    refused = web.post(f"/ui/webhooks/{id}/test")
    assert refused.status_code == 422
    assert "activate it first" in refused.text
    assert web.post(f"/ui/webhooks/{id}/delete").headers["location"] == "/ui/webhooks?done=webhook_deleted"
    assert web.get(f"/ui/webhooks/{id}").status_code == 404
    assert id not in web.get("/ui/webhooks").text


def test_deliveries_are_on_pages_and_filtered_by_their_state(web: httpx.Client, receiver: Receiver) -> None:
    id = make(web, receiver.url())
    for _ in range(52):
        web.post(f"/ui/webhooks/{id}/test")
    receiver.wait(52)
    eventually(lambda: "state-delivered" in web.get(f"/ui/webhooks/{id}", params={"state": "delivered"}).text)
    path, found = f"/ui/webhooks/{id}", []
    while path:
        page = web.get(path).text
        found += re.findall(r'data-id="([0-9a-f]+)"', page)
        more = re.findall(r'class="more"><a class="button" href="([^"]+)"', page)
        path = unescape(more[0]) if more else ""
    assert len(found) == len(set(found)) == 52
    assert "data-id" not in web.get(f"/ui/webhooks/{id}", params={"state": "failed"}).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "http://elsewhere.example/hook", "event.*": "on"}, "webhooks may not call"),
        ({"url": "ftp://localhost/hook", "event.*": "on"}, "is no address of the web"),
        ({"url": "", "event.*": "on"}, "url"),
        ({"url": "http://localhost:9/hook"}, "no event was chosen"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_made(web: httpx.Client, fields: dict[str, str], said: str) -> None:
    before = web.get("/model-registry/webhooks").json()
    response = web.post("/ui/webhooks", data=fields)
    assert response.status_code == 422
    assert said in unescape(response.text)
    assert web.get("/model-registry/webhooks").json() == before
