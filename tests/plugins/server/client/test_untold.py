"""What is logged is what became of the server's versions; of the cache, only what it says is of the cache."""

from __future__ import annotations

import json
import logging
import re

import pytest
from proxy import Proxy
from running import Running

from model_registry_server.transfer.errors import InvalidBodyError


@pytest.fixture(autouse=True)
def _all_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="model_registry")


def test_what_the_cache_does_of_itself_is_no_news(connect, caplog: pytest.LogCaptureFixture) -> None:
    small = connect("small", cache_size=1)
    first = small.register_model("untold/first", b"a" * 800_000)
    second = small.register_model("untold/second", b"b" * 800_000)
    assert small.load_model("untold/first").model == b"a" * 800_000
    assert [re.sub(r" \(\d+ bytes\) into", " into", told) for told in caplog.messages] == [
        f"registered untold/first:1.0.0 (bytes, 800000 bytes) as sha256:{first.digest}",
        f"registered untold/second:1.0.0 (bytes, 800000 bytes) as sha256:{second.digest}",
        "dropped untold/first:1.0.0 from the cache",
        "downloaded untold/first:1.0.0 into the cache",
        "dropped untold/second:1.0.0 from the cache",
        "loaded untold/first:1.0.0",
    ]


def test_what_is_made_here_is_told_when_the_server_has_it(connect, caplog: pytest.LogCaptureFixture) -> None:
    client = connect("maker")
    client.register_model("untold/source", b"x")
    caplog.clear()
    made = client.convert("untold/source", to="echo", new_name="untold/made", inputs=[1], check=False)
    assert caplog.messages == [f"registered untold/made:1.0.0 (echo, 1 bytes) as sha256:{made.digest}"]


def test_what_the_server_refuses_was_never_registered(
    server: Running, connect, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(server.port) as proxy:
        refused = json.dumps({"detail": "not that", "hint": "", "error": "InvalidBodyError", "facts": {}}).encode()
        proxy.instead = lambda asked: (400, {}, refused) if asked.path.endswith("/receive") else None
        client = connect("refused", url=proxy.url)
        with pytest.raises(InvalidBodyError, match="not that"):
            client.register_model("untold/refused", b"x")
    assert caplog.messages == []
