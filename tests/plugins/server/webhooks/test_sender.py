"""Deliveries are sent until they arrive or there is no hope, and each result is remembered."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from webhook_receiver import Answer, Receiver, eventually

from model_registry import InvalidOptionError, ModelRegistry
from model_registry_server.errors import NotFoundError
from model_registry_server.options import ServerOptions
from model_registry_server.state import State
from model_registry_server.webhooks.collecting import Collector
from model_registry_server.webhooks.deliveries import Deliveries
from model_registry_server.webhooks.retrying import DELAYS, LONGEST_WAIT, delay_after, seconds_of
from model_registry_server.webhooks.sender import Sender
from model_registry_server.webhooks.store import MOST_WEBHOOKS, Webhooks
from model_registry_server.webhooks.webhook import Delivery, DeliveryState, Outcome, Webhook

PRIVATE = ServerOptions(webhook_hosts=("localhost",), webhook_private=True)
#: Two retries, at once.
AT_ONCE = (0.0, 0.0)


@frozen
class House:
    """A registry, and the webhooks of its server, which does not run."""

    registry: ModelRegistry
    state: State
    webhooks: Webhooks
    deliveries: Deliveries

    def hook(self, url: str, **more: Any) -> Webhook:
        return self.webhooks.add(url, seen=self.newest(), **more)[1]

    def newest(self) -> int:
        return next((event.id for event in self.registry.history(limit=1)), 0)

    def change(self, *values: str, model: str = "m") -> None:
        for value in values:
            self.registry.set_tag(model, "stage", value)

    def collect(self, **keywords: Any) -> None:
        collector = Collector(self.registry, self.state, self.deliveries, **keywords)
        while collector.collect():
            pass

    def told(self, webhook: Webhook) -> list[tuple[str, Any]]:
        """What was or will be sent: the action, and the new value or the alias; the oldest first."""
        events = [json.loads(each.body)["event"] for each in reversed(self.deliveries.list(webhook.id, limit=1000))]
        return [(each["action"], each["after"] if each["action"] == "tag-set" else each["subject"]) for each in events]

    def one(self, webhook: Webhook) -> Delivery:
        (delivery,) = self.deliveries.list(webhook.id)
        return delivery

    def run(self, until: Callable[[], Any], **keywords: Any) -> None:
        """Send, as a server does, until something is true."""

        async def main() -> None:
            async with self.sending(**keywords):
                await asyncio.to_thread(eventually, until)

        asyncio.run(main())

    @asynccontextmanager
    async def sending(
        self, options: ServerOptions = PRIVATE, delays: Sequence[float] = AT_ONCE, **times: float
    ) -> AsyncIterator[Sender]:
        sender = Sender(self.registry, self.state, self.deliveries, options, delays=delays, interval=0.02, **times)
        await sender.start()
        try:
            yield sender
        finally:
            await sender.stop()

    def ended(self, webhook: Webhook) -> Callable[[], bool]:
        """Whether nothing of a webhook is pending."""
        return lambda: all(each.state != DeliveryState.PENDING for each in self.deliveries.list(webhook.id))


@pytest.fixture
def house(tmp_path: Path) -> House:
    registry = ModelRegistry(tmp_path / "models")
    (tmp_path / "f").write_bytes(b"x")
    registry.register_model("m", tmp_path / "f", "opaque")
    state = State(tmp_path / "models")
    return House(registry, state, Webhooks(state, ["localhost", "*.example.com"]), Deliveries(state, most=20))


# What is told to whom


def test_a_webhook_is_told_of_later_events_once(house: House) -> None:
    house.change("before")
    hook = house.hook("https://ci.example.com/")
    house.change("one", "two")
    house.collect()
    house.collect()
    house.change("three")
    house.collect()
    assert house.told(hook) == [("tag-set", "one"), ("tag-set", "two"), ("tag-set", "three")]


def test_what_happens_in_many_windows_is_told_in_order(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    house.change(*map(str, range(17)))
    house.collect(window=3)
    assert house.told(hook) == [("tag-set", str(number)) for number in range(17)]


def test_events_and_models_decide(house: House, tmp_path: Path) -> None:
    tags = house.hook("https://ci.example.com/", events=["tag-*"], models=["Team-A/*", "x"])
    all_of_m = house.hook("https://ci.example.com/", models=["m"])
    house.registry.register_model("team-a/n", tmp_path / "f", "opaque")
    house.change("a", model="team-a/n")
    house.change("b")
    house.registry.set_alias("m", "best")
    house.collect()
    assert house.told(tags) == [("tag-set", "a")]
    assert house.told(all_of_m) == [("tag-set", "b"), ("alias-set", "best")]


def test_an_inactive_webhook_misses_what_happens(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    for active, value in ((False, "missed"), (True, "told")):
        house.webhooks.change(hook.id, {"active": active}, seen=house.newest())
        house.change(value)
        house.collect()
    assert house.told(hook) == [("tag-set", "told")]


def test_a_webhook_made_inactive_is_told_of_later_events_when_it_is_active_again(house: House) -> None:
    hook = house.hook("https://ci.example.com/", active=False)
    house.change("missed")
    house.webhooks.change(hook.id, {"active": True}, seen=house.newest())
    house.change("told")
    house.collect()
    assert house.told(hook) == [("tag-set", "told")]


def test_a_removed_version_is_told_without_its_document(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    house.registry.remove_model("m", "1.0.0")
    house.collect()
    assert '"version":null}' in house.one(hook).body
    assert '"action":"removed"' in house.one(hook).body


def test_a_webhook_that_is_far_behind_goes_on_when_there_is_room_and_misses_nothing(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    house.change(*map(str, range(50)))
    seen = []
    for _ in range(20):
        house.collect(window=5)
        pending = house.deliveries.list(hook.id, DeliveryState.PENDING, limit=1000)
        assert len(house.deliveries.list(hook.id, limit=1000)) <= 20
        for parcel in house.deliveries.due(hook.id, datetime.now(timezone.utc), 1000):
            seen.append(int(parcel.body.partition(b'"after":"')[2].partition(b'"')[0]))
            house.deliveries.settle(parcel, Outcome(0.1, 200), None)
        if not pending:
            break
    assert seen == list(range(50))


def test_a_catalog_that_was_put_back_to_an_earlier_time_is_followed_again(house: House) -> None:
    hook = house.webhooks.add("https://ci.example.com/", seen=1000)[1]
    house.collect()
    house.change("next")
    house.collect()
    assert house.told(hook) == [("tag-set", "next")]


def test_old_deliveries_are_forgotten(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    house.deliveries.add_ping(hook.id, "ada")
    now = datetime.now(timezone.utc)
    assert house.deliveries.forget(now - timedelta(days=1)) == 0
    assert house.deliveries.forget(now + timedelta(seconds=5)) == 1


def test_deliveries_are_listed_page_by_page(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    ids = [house.deliveries.add_ping(hook.id, "ada").id for _ in range(5)][::-1]
    first = house.deliveries.list(hook.id, limit=3)
    rest = house.deliveries.list(hook.id, before=first[-1].id, limit=3)
    assert [each.id for each in [*first, *rest]] == ids
    assert house.deliveries.list(hook.id, DeliveryState.FAILED) == []


def test_deliveries_go_with_their_webhook(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    delivery = house.deliveries.add_ping(hook.id, "ada")
    assert house.webhooks.remove(hook.id)
    assert not house.webhooks.remove(hook.id)
    for ask in (
        lambda: house.deliveries.get(hook.id, delivery.id),
        lambda: house.deliveries.retry(hook.id, delivery.id),
        lambda: house.deliveries.add_ping(hook.id, "ada"),
        lambda: house.webhooks.get(hook.id),
        lambda: house.webhooks.change(hook.id, {}, seen=0),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_there_are_not_too_many_webhooks(house: House) -> None:
    for _ in range(MOST_WEBHOOKS):
        house.hook("https://ci.example.com/")
    with pytest.raises(InvalidOptionError, match="100 webhooks already"):
        house.hook("https://ci.example.com/")


def test_a_wrong_change_changes_nothing(house: House) -> None:
    hook = house.hook("https://ci.example.com/")
    with pytest.raises(InvalidOptionError, match="webhook_hosts"):
        house.webhooks.change(hook.id, {"active": False, "url": "https://evil.example/"}, seen=0)
    assert house.webhooks.get(hook.id) == hook


def test_nobody_else_reads_the_secrets(house: House) -> None:
    secret, _ = house.webhooks.add("https://ci.example.com/", seen=0)
    held = [path for path in house.state.folder.iterdir() if secret.encode() in path.read_bytes()]
    assert held
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in held} == {0}


# How it is sent


def test_a_receiver_that_fails_twice_gets_it_a_third_time(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    receiver.answers += [Answer(500, body=b"no \x1b[31m space\n left"), Answer(503)]
    house.change("prod")
    house.run(lambda: house.deliveries.list(hook.id, DeliveryState.DELIVERED))
    got = receiver.wait(3)
    assert len(got) == 3
    assert len({each.headers["webhook-id"] for each in got}) == 1
    assert len({each.body for each in got}) == 1
    delivery = house.one(hook)
    assert (delivery.attempts, delivery.status, delivery.error) == (3, 204, None)
    assert delivery.next_try_at is None
    assert delivery.duration is not None
    assert 0 <= delivery.duration < 10


def test_after_the_last_try_it_is_given_up(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    receiver.answers += [Answer(500, body=b"no \x1b[31m space\n left")] * 3
    house.change("prod")
    house.run(lambda: house.deliveries.list(hook.id, DeliveryState.FAILED))
    delivery = house.one(hook)
    assert (delivery.attempts, delivery.status) == (3, 500)
    assert delivery.error == "answered 500: no [31m space left"
    assert delivery.next_try_at is None
    assert len(receiver.got) == 3
    assert house.webhooks.get(hook.id).active

    house.deliveries.retry(hook.id, delivery.id)
    house.run(house.ended(hook))
    assert house.one(hook).state == DeliveryState.DELIVERED
    assert receiver.got[3].headers["webhook-id"] == delivery.id


def test_gone_ends_the_webhook(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    receiver.answers.append(Answer(410))
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook))
    assert house.one(hook).state == DeliveryState.FAILED
    ended = house.webhooks.get(hook.id)
    assert not ended.active
    assert "answered 410 Gone" in str(ended.ended_because)
    with pytest.raises(InvalidOptionError, match="activate it first"):
        house.deliveries.add_ping(hook.id, "ada")
    with pytest.raises(InvalidOptionError, match="activate it first"):
        house.deliveries.retry(hook.id, house.one(hook).id)
    assert house.webhooks.change(hook.id, {"active": True}, seen=0).ended_because is None


def test_a_redirect_is_not_followed(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    receiver.answers += [Answer(307, {"Location": receiver.url("/inside")}), Answer(302, {"Location": "/inside"})]
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook), delays=[0.0])
    assert [each.path for each in receiver.got] == ["/hook", "/hook"]
    assert "answered 302: redirects are not followed" in str(house.one(hook).error)


def test_a_private_address_is_refused_unless_the_option_says_otherwise(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook), options=ServerOptions(webhook_hosts=("localhost",)), delays=())
    delivery = house.one(hook)
    assert (delivery.state, delivery.status) == (DeliveryState.FAILED, None)
    assert "only public addresses are called" in str(delivery.error)
    assert receiver.got == []


def test_a_host_that_is_no_longer_listed_is_refused(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook), options=ServerOptions(webhook_hosts=(), webhook_private=True), delays=())
    assert "webhook_hosts of [plugins.server]" in str(house.one(hook).error)
    assert receiver.got == []


def test_nobody_listening_is_told(house: House) -> None:
    hook = house.hook("http://localhost:1/")
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook), delays=())
    assert str(house.one(hook).error).startswith("ConnectError")


def test_a_receiver_that_does_not_answer_is_given_up_in_time(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url("/slow"))
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook), delays=(), timeout=0.3)
    assert house.one(hook).error == "no answer within 0.3 s"


def test_no_more_of_an_answer_is_read_than_a_little(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    receiver.answers.append(Answer(500, body=b"x" * (64 << 20)))
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook), delays=())
    assert house.one(hook).error == f"answered 500: {'x' * 200}"


def test_cookies_are_not_kept(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    receiver.answers += [Answer(500, {"Set-Cookie": "a=b; Path=/"}), Answer(204)]
    house.deliveries.add_ping(hook.id, "ada")
    house.run(house.ended(hook))
    assert len(receiver.got) == 2
    assert "Cookie" not in receiver.got[1].headers


def test_a_receiver_may_ask_for_more_time(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url())
    receiver.answers.append(Answer(429, {"Retry-After": "3600"}))
    house.deliveries.add_ping(hook.id, "ada")
    house.run(lambda: house.one(hook).attempts == 1)
    delivery = house.one(hook)
    assert delivery.state == DeliveryState.PENDING
    assert delivery.next_try_at is not None
    assert delivery.last_try_at is not None
    assert abs((delivery.next_try_at - delivery.last_try_at).total_seconds() - 3600) < 1


def test_a_slow_receiver_does_not_hold_up_the_others(house: House, receiver: Receiver) -> None:
    slow, quick = house.hook(receiver.url("/slow")), house.hook(receiver.url("/quick"))
    for _ in range(15):
        house.deliveries.add_ping(slow.id, "ada")
    for _ in range(15):
        house.deliveries.add_ping(quick.id, "ada")
    seen: list[str] = []

    def all_quick() -> bool:
        if house.ended(quick)():
            seen.extend(each.path for each in receiver.got)
            receiver.go.set()
        return bool(seen)

    house.run(all_quick)
    assert (seen.count("/quick"), seen.count("/slow")) == (15, 2)


def test_deliveries_of_an_inactive_webhook_wait(house: House, receiver: Receiver) -> None:
    waits, other = house.hook(receiver.url("/waits")), house.hook(receiver.url("/other"))
    house.deliveries.add_ping(waits.id, "ada")
    house.webhooks.change(waits.id, {"active": False}, seen=0)
    house.deliveries.add_ping(other.id, "ada")
    house.run(house.ended(other))
    assert [each.path for each in receiver.got] == ["/other"]
    house.webhooks.change(waits.id, {"active": True, "url": receiver.url("/new")}, seen=house.newest())
    house.run(house.ended(waits))
    assert [each.path for each in receiver.got] == ["/other", "/new"]


def test_what_a_stop_cuts_off_is_sent_again(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url("/slow"))
    house.deliveries.add_ping(hook.id, "ada")
    house.run(lambda: receiver.got, grace=0.1)
    assert house.one(hook).state == DeliveryState.PENDING
    receiver.go.set()
    house.run(house.ended(hook))
    assert house.one(hook).state == DeliveryState.DELIVERED
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1


def test_a_stop_waits_for_answers_that_are_about_to_come(house: House, receiver: Receiver) -> None:
    hook = house.hook(receiver.url("/slow"))
    house.deliveries.add_ping(hook.id, "ada")

    async def main() -> None:
        async with house.sending():
            await asyncio.to_thread(eventually, lambda: receiver.got)
            threading.Timer(0.2, receiver.go.set).start()

    asyncio.run(main())
    assert house.one(hook).state == DeliveryState.DELIVERED


# When it is tried again


def test_the_tries_take_about_a_day_and_the_first_come_soon() -> None:
    for _ in range(100):
        delays = [delay_after(attempts, None) for attempts in range(1, 8)]
        assert None not in delays
        assert 1 <= delays[0] <= 1.25  # type: ignore[operator]
        assert 20 * 3600 < sum(delays) < 30 * 3600  # type: ignore[arg-type]
    assert delay_after(len(DELAYS) + 1, None) is None
    assert delay_after(len(DELAYS) + 1, 5.0) is None


def test_those_who_failed_together_do_not_come_back_together() -> None:
    assert len({delay_after(3, None) for _ in range(20)}) > 10


def test_what_a_receiver_asks_for_has_bounds() -> None:
    assert delay_after(1, 100.0) == 100
    assert delay_after(1, 1e12) == LONGEST_WAIT
    assert 30 <= (delay_after(3, 0.0) or 0) <= 37.5


def test_retry_after_is_seconds_or_a_date() -> None:
    soon = datetime.now(timezone.utc) + timedelta(minutes=10)
    assert seconds_of("120") == 120
    assert 595 <= (seconds_of(soon.strftime("%a, %d %b %Y %H:%M:%S GMT")) or 0) <= 600
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    for text in (None, "", "soon", "-5", "1.5", "٣", "9" * 400, "Wed, 99 Oct 2015 07:28:00 GMT"):
        found = seconds_of(text)
        assert found is None or found < 1e13
