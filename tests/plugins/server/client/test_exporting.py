"""Exports on their way: they go on where they broke, for as long as they get ahead, and not for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from line import Line
from proxy import Answer, Asked, Proxy

from model_registry import StorageError
from model_registry_server.client import Client
from model_registry_server.client.patience import Patience

LARGE = random.Random(8).randbytes(12 << 20)


@pytest.fixture
def line(server) -> Iterator[Line]:
    with Line(server.port) as line:
        yield line


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.mark.parametrize(("format", "file"), [("echo", ""), ("leaves", "c.bin")], ids=["a file", "a folder"])
def test_an_export_goes_on_where_it_broke(
    connect, client: Client, line: Line, tmp_path: Path, format: str, file: str
) -> None:
    client.register_model("broken", LARGE)
    line.when("received", 8 << 20, line.cut)
    path = connect(url=line.url).export_model("broken", "latest", tmp_path / "out", format)
    assert Path(path, file).read_bytes() == LARGE
    assert line._alarms == []
    assert line.received < len(LARGE) * 1.2
    assert list(tmp_path.glob(".out*")) == []


def test_an_export_that_gets_ahead_between_two_breaks_is_not_given_up(
    connect, client: Client, line: Line, tmp_path: Path, monkeypatch
) -> None:
    client.register_model("torn", LARGE)
    other = connect(url=line.url)
    breaks = (1, 3, 5, 7, 9)
    for megabytes in breaks:
        line.when("received", megabytes << 20, line.cut)
    patience = 0.25  # less than two waits without getting ahead take
    monkeypatch.setattr("model_registry_server.client.exporting.Patience", lambda: Patience(patience))
    assert Path(other.export_model("torn", "latest", tmp_path / "out", "echo")).read_bytes() == LARGE
    assert line._alarms == []


def test_the_progress_of_an_export_that_goes_on_is_told_to_its_end(
    connect, client: Client, line: Line, tmp_path: Path
) -> None:
    client.register_model("told", LARGE)
    line.when("received", 8 << 20, line.cut)
    other, reports = connect(url=line.url), []
    with other.progress(reports.append):
        other.export_model("told", "latest", tmp_path / "out", "echo")
    last = [report for report in reports if report.what == "exporting told:1.0.0"][-1]
    assert last.finished
    assert last.bytes_done == last.bytes_total == len(LARGE)


def test_what_comes_without_its_length_begins_anew(connect, client: Client, proxy: Proxy, tmp_path: Path) -> None:
    """All of it may have come, and then there would be no rest to ask for."""
    client.register_model("chunked", LARGE)

    def cut_the_last_chunk(asked: Asked) -> Answer | None:
        if "/export" not in asked.path or 200 in proxy.answers("GET", "/export"):
            return None
        answer = asked.ask().getresponse()
        body = answer.read()
        return answer.status, {"ETag": answer.headers["etag"] or ""}, body if answer.status == 202 else [body]

    proxy.instead = cut_the_last_chunk
    path = connect(url=proxy.url).export_model("chunked", "latest", tmp_path / "out", "echo")
    assert Path(path).read_bytes() == LARGE
    assert proxy.answers("GET", "/export") == [202, 200, 200]


def test_an_export_that_is_gone_each_time_when_it_is_fetched_is_given_up(
    connect, client: Client, proxy: Proxy, tmp_path: Path
) -> None:
    client.register_model("evicted", b"x")
    told: list[Answer] = []

    def tell_of_the_job(asked: Asked) -> Answer | None:
        if "/export" not in asked.path:
            return None
        if not told:
            answer = asked.ask().getresponse()
            told.append((answer.status, dict(answer.getheaders()), answer.read()))
        status, headers, body = told[0]
        return status, {"Content-Type": headers["content-type"]}, body

    proxy.instead = tell_of_the_job
    with pytest.raises(StorageError, match="the server made it 3 times"):
        connect(url=proxy.url).export_model("evicted", "latest", tmp_path / "out", "echo")
    assert proxy.answers("GET", "/export") == [202] * 4
    assert list(tmp_path.glob("*out*")) == []
