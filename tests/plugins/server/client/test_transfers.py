"""Transfers: only what is missing, continued after whatever breaks, and nothing is left of what fails."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from line import Line
from running import serving, start

from model_registry import IntegrityError, StorageError
from model_registry_server.client import Client
from model_registry_server.client.errors import UnreachableError
from model_registry_server.client.patience import Patience

LARGE = random.Random(1).randbytes(12 << 20)


@pytest.fixture
def line(server) -> Iterator[Line]:
    with Line(server.port) as line:
        yield line


class Restarted:
    """A server that can be killed and started again at its port."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder, self._environ = folder, environ
        self.running = start(folder, environ=environ)
        self.deaths = 0

    def die_with(self, size: int) -> None:
        """Die as soon as so many bytes of an upload are in its files."""
        deadline = time.monotonic() + 20
        while sum(path.stat().st_size for path in uploads("", self._folder)) < size:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.die()

    def die(self) -> None:
        self.running.stop(signal.SIGKILL)
        self.running = start(self._folder, port=self.running.port, environ=self._environ)
        self.deaths += 1


@pytest.fixture
def mortal(tmp_path: Path, environ: dict[str, str]) -> Iterator[Restarted]:
    restarted = Restarted(tmp_path / "mortal", environ)
    yield restarted
    restarted.running.stop()


def uploads(url: str, folder: Path) -> list[Path]:
    """Files of uploads that the server still has."""
    return [path for path in (folder / "server" / "uploads").rglob("*") if path.is_file()]


def test_only_missing_files_are_sent(connect, line: Line) -> None:
    client = connect(url=line.url)
    parts = LARGE[: 4 << 20]
    client.register_model("sparing", parts, parts=4)
    assert line.sent > len(parts)
    before = line.sent
    changed = bytearray(parts)
    changed[::4] = bytes(len(parts) // 4)  # one of four files
    client.register_model("sparing", bytes(changed), parts=4)
    assert len(parts) // 4 < line.sent - before < len(parts) // 4 + 50_000
    before = line.sent
    connect("another", url=line.url).register_model("sparing/copy", parts, parts=4)
    assert line.sent - before < 50_000


def test_only_missing_files_are_fetched(connect, line: Line) -> None:
    parts = LARGE[: 4 << 20]
    client = connect()
    client.register_model("fetched", parts, parts=4)
    changed = bytearray(parts)
    changed[::4] = bytes(len(parts) // 4)
    client.register_model("fetched", bytes(changed), parts=4)
    other = connect("other", url=line.url)
    assert other.load_model("fetched", "1.0.0").model == parts
    before = line.received
    assert other.load_model("fetched", "1.0.1").model == changed
    assert len(parts) // 4 < line.received - before < len(parts) // 4 + 50_000
    before = line.received
    assert other.load_model("fetched", "1.0.1").model == changed
    assert line.received - before < 5_000


def test_a_push_goes_on_when_the_server_was_killed(mortal: Restarted, connect) -> None:
    with Line(mortal.running.port) as line:
        client = connect(url=line.url)
        line.when("sent", len(LARGE) // 2, lambda: mortal.die_with(len(LARGE) // 4))
        entry = client.register_model("pushed", LARGE)
        assert mortal.deaths == 1
        assert line.sent < len(LARGE) * 1.4  # what had come was not sent again
        assert entry.verify_integrity()
        assert uploads(line.url, mortal._folder) == []


def test_a_pull_goes_on_when_the_server_was_killed(mortal: Restarted, connect) -> None:
    with Line(mortal.running.port) as line:
        connect(url=line.url).register_model("pulled", LARGE)
        other = connect("other", url=line.url)
        line.when("received", len(LARGE) // 2, mortal.die)
        before = line.received
        assert other.load_model("pulled").model == LARGE
        assert mortal.deaths == 1
        assert line.received - before < len(LARGE) * 1.5


@pytest.mark.parametrize("way", ["sent", "received"])
def test_a_line_that_breaks_often_delays_and_no_more(connect, line: Line, way: str) -> None:
    client, other = connect(url=line.url), connect("other", url=line.url)
    for megabytes in (1, 2, 3, 4, 6, 8):
        line.when(way, megabytes << 20, line.cut)
    client.register_model("torn", LARGE, parts=3)
    assert other.load_model("torn").model == LARGE
    assert line._alarms == []


@pytest.mark.parametrize("way", ["sent", "received"])
def test_a_line_that_falls_silent_without_breaking_delays_and_no_more(
    connect, tmp_path: Path, environ: dict[str, str], monkeypatch, way: str
) -> None:
    monkeypatch.setattr("model_registry_server.client.http.TIMEOUT", httpx.Timeout(1.0))
    monkeypatch.setattr("model_registry_server.client.uploads.PATIENT", httpx.Timeout(60.0, write=1.0))
    with (
        serving(tmp_path / "models", options="body_timeout = 2", environ=environ) as server,
        Line(server.port) as line,
    ):
        client, other = connect(url=line.url), connect("other", url=line.url)
        line.when(way, 3 << 20, line.fall_silent)
        client.register_model("silent", LARGE)
        assert other.load_model("silent").model == LARGE
        assert line._alarms == []


def test_patience_counts_from_the_first_failure() -> None:
    patience, error = Patience(0.25), StorageError("broken")
    time.sleep(0.3)  # an attempt that took longer, and got ahead all the while
    patience.wait(error)
    with pytest.raises(StorageError, match="broken"):
        patience.wait(error)  # the pause is longer than what is left
    patience.renew()
    patience.wait(error)


def test_who_waits_for_a_server_is_told_once_for_what_and_until_when(caplog: pytest.LogCaptureFixture) -> None:
    error = UnreachableError("http://away cannot be reached: it is away", path="http://away")
    for _ in range(2):  # transfers that wait for the same
        patience = Patience(sleep=lambda seconds: None)
        for _ in range(5):
            patience.wait(error)
    [told] = caplog.records
    assert told.levelname == "WARNING"
    words = r"http://away cannot be reached: it is away; trying again until \d\d:\d\d:\d\d"
    assert re.fullmatch(words, told.getMessage())


def test_a_server_that_is_away_for_a_moment_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience(sleep=lambda seconds: None)
    for _ in range(3):
        for _ in range(4):
            patience.wait(UnreachableError("http://brief cannot be reached", path="http://brief"))
        patience.renew()
    assert caplog.records == []


def test_an_answer_that_is_lost_is_not_taken_for_a_failure(connect, line: Line) -> None:
    client = connect(url=line.url)
    for _ in range(3):  # of whatever is asked, an answer is lost
        line.when("received", 1, line.cut)
        entry = client.register_model("answered", b"x")
        assert client.resolve("answered", entry.version) == entry


def test_bytes_that_were_damaged_on_the_way_are_refused(connect, folder: Path, client: Client) -> None:
    entry = client.register_model("damaged", b"some bytes")
    blob = folder / "blobs" / "sha256" / entry.files[0].sha256
    was = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(was[::-1])
    try:
        with pytest.raises(IntegrityError):
            connect("other").load_model("damaged")
    finally:
        blob.write_bytes(was)
    assert connect("other").load_model("damaged").model == b"some bytes"


def test_a_bit_that_was_lost_on_the_way_is_noticed(connect, line: Line, client: Client) -> None:
    client.register_model("flipped", LARGE[: 1 << 20])
    other = connect("other", url=line.url)
    line.spoil_next = True
    with pytest.raises(IntegrityError, match="sent other bytes than those of sha256:"):
        other.load_model("flipped")
    assert not line.spoil_next
    assert other.load_model("flipped").model == LARGE[: 1 << 20]


def test_a_push_that_fails_leaves_what_the_next_one_needs(connect, line: Line, folder: Path, monkeypatch) -> None:
    client, model = connect(url=line.url), random.Random(4).randbytes(12 << 20)
    line.when("sent", 6 << 20, line.cut)
    with monkeypatch.context() as patch:
        patch.setattr("model_registry_server.client.patience.Patience.wait", lambda self, error: give_up(error))
        with pytest.raises(StorageError, match=r"cannot be reached: .* — what was sent is kept .* goes on with it"):
            client.register_model("failed", model)
    assert client.get_model_info("failed") is None
    assert client._cache.get_model_info("failed") is None
    before, reports = line.sent, []
    with client.progress(reports.append):
        entry = client.register_model("failed", model)
    assert line.sent - before < len(model) * 0.8
    assert entry.verify_integrity()
    assert uploads(line.url, folder) == []
    last = {report.what: report for report in reports}[f"uploading {entry.reference}"]
    assert last.bytes_done == last.bytes_total


def give_up(error: Exception) -> None:
    raise error


SENDER = """
import random, sys
from model_registry import ModelRegistry
ModelRegistry(sys.argv[1]).register_model("killed", random.Random(5).randbytes(12 << 20), parts=3)
"""


def test_a_push_whose_process_was_killed_is_continued_by_the_next(
    connect, line: Line, folder: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    environ = {**os.environ, **environ, "XDG_CACHE_HOME": str(tmp_path / "killed")}
    process = subprocess.Popen([sys.executable, "-c", SENDER, line.url], env=environ)
    line.when("sent", 9 << 20, process.kill)
    assert process.wait(60) == -signal.SIGKILL
    before, model = line.sent, random.Random(5).randbytes(12 << 20)
    entry = connect("killed", url=line.url).register_model("killed", model, parts=3)
    assert line.sent - before < len(model) * 0.7
    assert entry.verify_integrity()
    assert uploads(line.url, folder) == []


def test_an_upload_that_the_server_has_forgotten_is_begun_anew(connect, line: Line, folder: Path, monkeypatch) -> None:
    client, model = connect(url=line.url), random.Random(6).randbytes(12 << 20)
    line.when("sent", 6 << 20, line.cut)
    with monkeypatch.context() as patch:
        patch.setattr("model_registry_server.client.patience.Patience.wait", lambda self, error: give_up(error))
        with pytest.raises(StorageError, match="cannot be reached"):
            client.register_model("forgotten", model)
    [file] = [path for path in uploads(line.url, folder) if path.stat().st_size > 1 << 20]
    httpx.delete(f"{line.url}/model-registry/uploads/{file.parent.name}").raise_for_status()
    assert client.register_model("forgotten", model).verify_integrity()


def test_ctrl_c_ends_a_push_and_leaves_nothing(client: Client, folder: Path) -> None:
    def interrupt(report: object) -> None:
        if report.what.startswith("uploading"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), client.progress(interrupt):
        client.register_model("interrupted", LARGE)
    assert uploads("", folder) == []
    assert client.get_model_info("interrupted") is None
    assert client._cache.get_model_info("interrupted") is None


def test_progress_is_told_to_its_end(client: Client, connect) -> None:
    reports = []
    with client.progress(reports.append):
        client.register_model("told", LARGE[: 8 << 20])
    last = {report.what: report for report in reports}["uploading told:1.0.0"]
    assert last.finished
    assert last.bytes_done == last.bytes_total
    assert 0 <= last.bytes_total - (8 << 20) < 10_000
    other, reports = connect("other"), []
    with other.progress(reports.append):
        other.load_model("told")
    assert [report.what for report in reports if report.finished] == ["downloading told:1.0.0", "loading told:1.0.0"]


def test_many_threads_share_a_client(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda number: client.register_model("threads", b"%d" % number), range(16)))
        assert len({entry.version for entry in entries}) == 16
        found = pool.map(lambda entry: client.load_model("threads", entry.version).model, entries)
        assert list(found) == [b"%d" % number for number in range(16)]


def test_clients_on_several_machines_register_at_once(connect) -> None:
    clients = [connect(f"machine-{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda each: [each.register_model("races", os.urandom(9)) for _ in range(4)], clients)
        entries = [entry for several in found for entry in several]
    assert sorted(entry.version for entry in entries) == sorted(f"1.0.{number}" for number in range(16))
    for client in clients:
        assert {entry.reference for entry in client._cache.list_models()} <= {entry.reference for entry in entries}


def test_a_number_that_is_taken_meanwhile_costs_no_second_upload(connect, line: Line) -> None:
    slow, fast = connect("slow", url=line.url), connect("fast")
    line.when("sent", 2 << 20, lambda: fast.register_model("raced", b"faster"))
    model = random.Random(2).randbytes(8 << 20)
    entry = slow.register_model("raced", model)
    assert entry.version == "1.0.1"
    assert line.sent < 9 << 20
    assert fast.load_model("raced", "1.0.1").model == model
    assert slow._cache.get_model_info("raced", "1.0.0") is None


def test_a_forked_process_has_connections_of_its_own(client: Client) -> None:
    client.register_model("forked", b"x")
    context = multiprocessing.get_context("fork")
    reading, writing = context.Pipe(duplex=False)
    child = context.Process(target=lambda: writing.send_bytes(client.load_model("forked").model))
    child.start()
    assert reading.recv_bytes() == b"x"
    child.join()
    for each in (reading, writing):
        each.close()
    assert client.load_model("forked").model == b"x"


def test_versions_that_were_not_used_for_longest_make_room(connect, client: Client) -> None:
    sizes = {f"room/{number}": LARGE[number << 20 : (number + 1) << 20] for number in range(5)}
    for name, model in sizes.items():
        client.register_model(name, model)
    small = connect("small", cache_size=3)
    for age, name in enumerate(sizes):
        small.load_model(name)
        used = Path(small.settings.path, "client", "used", client.resolve(name).digest)
        os.utime(used, (1000 + age, 1000 + age))
    kept = [entry.name for entry in small._cache.list_models()]
    assert kept == ["room/3", "room/4"]
    assert small._cache.get_detailed_stats()["stored_bytes"] <= 3_000_000
    assert small.load_model("room/0").model == sizes["room/0"]


def test_a_cache_that_was_deleted_is_filled_again(client: Client, connect) -> None:
    client.register_model("deleted", b"x")
    other = connect("other")
    other.load_model("deleted")
    for blob in Path(other.settings.path, "blobs", "sha256").iterdir():
        blob.unlink()
    assert other.load_model("deleted").model == b"x"


def test_a_server_that_is_not_there_is_told(connect) -> None:
    client = connect(url="http://127.0.0.1:9")
    with pytest.raises(StorageError, match=r"^http://127.0.0.1:9 cannot be reached: .* — see that the server runs"):
        client.list_models()
