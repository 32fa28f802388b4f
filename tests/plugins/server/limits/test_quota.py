"""The quota and the largest upload hold, whatever comes at once; and nobody keeps room that they do not use."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, serving, token

from model_registry import ModelRegistry

API = "/model-registry"
MEGABYTE = 1_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "models", options="quota_mb = 10\nmax_upload_mb = 8") as running:
        yield running


@pytest.fixture
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}{API}", timeout=60) as client:
        yield client


def upload(http: httpx.Client, name: str, size: int) -> httpx.Response:
    return http.post("/models/upload", params={"name": name, "format": "opaque"}, content=os.urandom(size))


def wait_for(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def on_the_disk(folder: Path) -> int:
    """Bytes of what came and of what is stored; a file of several names, once."""
    found = {}
    for path in [*folder.glob("server/uploads/*/*"), *folder.glob("server/incoming/**/*"), *folder.glob("blobs/**/*")]:
        with suppress(FileNotFoundError):
            if path.is_file():
                stat = path.stat()
                found[stat.st_ino] = stat.st_size
    return sum(found.values())


def test_who_sends_nothing_keeps_no_room(server: Running, http: httpx.Client, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    head = f"POST {API}/models/upload?name=slow{{}}&format=opaque HTTP/1.1\r\nHost: localhost\r\n"
    lengths = ["Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "Content-Length: 7000000\r\n\r\nx"]
    with ExitStack() as stack:
        for number, length in enumerate(lengths * 5):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            stack.enter_context(connection)
            connection.sendall((head.format(number) + length).encode())
        wait_for(lambda: len(list(folder.glob("server/incoming/*/0"))) == 10)
        assert upload(http, "other", 7 * MEGABYTE).status_code == 201


def test_who_announces_and_sends_nothing_keeps_no_room(http: httpx.Client) -> None:
    for _ in range(20):
        files = [{"path": "w", "size": 8 * MEGABYTE}]
        assert http.post("/uploads", json={"files": files}).status_code == 201
    assert upload(http, "other", 7 * MEGABYTE).status_code == 201
    refused = http.post("/uploads", json={"files": [{"path": "w", "size": 4 * MEGABYTE}]})
    assert (refused.status_code, refused.json()["error"]) == (413, "TooLargeError")
    assert "quota_mb" in refused.json()["hint"]


def test_what_has_come_of_an_upload_counts_until_it_is_thrown_away(http: httpx.Client) -> None:
    begun = http.post("/uploads", json={"files": [{"path": "w", "size": 6 * MEGABYTE}]}).json()
    part = {"Upload-Offset": "0"}
    http.patch(f"/uploads/{begun['id']}/files/0", content=bytes(5 * MEGABYTE), headers=part).raise_for_status()
    assert upload(http, "other", 6 * MEGABYTE).status_code == 413
    http.delete(f"/uploads/{begun['id']}").raise_for_status()
    wait_for(lambda: upload(http, "other", 6 * MEGABYTE).status_code == 201)


def all_at_once(works: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def slowly(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 100_000):
        yield os.urandom(100_000)
        time.sleep(0.01)


def send(http: httpx.Client, upload: str, number: int, size: int, statuses: list[int]) -> None:
    headers = {"Upload-Offset": "0", "Upload-Complete": "true"}
    with suppress(httpx.TransportError):  # refused while it is sent
        address = f"/uploads/{upload}/files/{number}"
        statuses.append(http.patch(address, content=slowly(size), headers=headers).status_code)


def test_parts_of_many_uploads_never_pass_the_quota_together(http: httpx.Client, tmp_path: Path) -> None:
    ids = [http.post("/uploads", json={"files": [{"path": "w"}]}).json()["id"] for _ in range(6)]
    statuses: list[int] = []
    send(http, ids.pop(), 0, 4 * MEGABYTE, statuses)
    most = 0
    ended = threading.Event()

    def look() -> None:
        nonlocal most
        while not ended.wait(0.01):
            most = max(most, on_the_disk(tmp_path / "models"))

    looking = threading.Thread(target=look)
    looking.start()
    all_at_once([lambda each=each: send(http, each, 0, 4 * MEGABYTE, statuses) for each in ids])  # type: ignore[misc]
    ended.set()
    looking.join()
    assert set(statuses) == {200, 413}
    assert 5 * MEGABYTE < on_the_disk(tmp_path / "models") <= 10 * MEGABYTE
    assert most <= 10 * MEGABYTE


def test_files_of_one_upload_never_pass_the_largest_upload_together(http: httpx.Client, tmp_path: Path) -> None:
    files = [{"path": f"w{number}"} for number in range(4)]
    begun = http.post("/uploads", json={"files": files}).json()["id"]
    statuses: list[int] = []
    send(http, begun, 0, 3 * MEGABYTE, statuses)
    all_at_once([lambda n=n: send(http, begun, n, 3 * MEGABYTE, statuses) for n in range(1, 4)])  # type: ignore[misc]
    came = sum(file["offset"] for file in http.get(f"/uploads/{begun}").json()["files"])
    assert 4 * MEGABYTE < came <= 8 * MEGABYTE
    assert set(statuses) == {200, 413}
    one_more = {"Upload-Offset": "0"}
    single = http.post("/uploads", json={"files": [{"path": "a"}, {"path": "b"}]}).json()["id"]
    http.delete(f"/uploads/{begun}").raise_for_status()
    first = http.patch(f"/uploads/{single}/files/0", content=bytes(5 * MEGABYTE), headers=one_more)
    assert first.status_code == 200
    second = http.patch(f"/uploads/{single}/files/1", content=bytes(4 * MEGABYTE), headers=one_more)
    assert (second.status_code, "max_upload_mb" in second.json()["hint"]) == (413, True)


@pytest.mark.parametrize("announced", [True, False])
def test_a_form_may_be_as_large_as_an_upload_may_and_its_fields_do_not_count(
    http: httpx.Client, announced: bool
) -> None:
    def form(size: int) -> httpx.Response:
        data = {"name": "form", "format": "opaque", "description": "x" * 100_000, "exist_ok": "true"}
        files = [("file", (str(n), bytes([n]) * (size // 2))) for n in range(2)]
        request = http.build_request("POST", "/models/upload", data=data, files=files)
        content = request.read()
        body = content if announced else iter([content])
        return http.post("/models/upload", content=body, headers={"Content-Type": request.headers["content-type"]})

    refused = form(8 * MEGABYTE + 2)
    assert (refused.status_code, refused.json()["error"]) == (413, "TooLargeError")
    made = form(8 * MEGABYTE)
    assert made.status_code == 201, made.text


def test_what_else_comes_into_the_registry_is_noticed(http: httpx.Client, tmp_path: Path) -> None:
    assert upload(http, "before", 100).status_code == 201
    (tmp_path / "w").write_bytes(os.urandom(7 * MEGABYTE))
    ModelRegistry(tmp_path / "models").register_model("beside", tmp_path / "w", "opaque")
    wait_for(lambda: http.post("/uploads", json={"files": [{"path": "w", "size": 4 * MEGABYTE}]}).status_code == 413)
    assert upload(http, "after", 4 * MEGABYTE).status_code == 413


def test_how_much_room_is_left_is_told_only_to_who_sees_every_model(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    ModelRegistry(folder)
    given = {"all": token(folder, "all", "writer"), "some": token(folder, "some", "writer", "team/*")}
    body = {"files": [{"path": "w", "size": 2 * MEGABYTE}]}
    query = {"name": "team/m", "format": "opaque"}
    told: dict[str, list[dict[str, Any]]] = {}
    with serving(folder, options="quota_mb = 1\nmax_upload_mb = 3") as running:
        for who, text in given.items():
            headers = {"Authorization": f"Bearer {text}"}
            with httpx.Client(base_url=f"{running.url}{API}", headers=headers, timeout=60) as client:
                announced = client.post("/uploads", json=body)
                large = client.post("/uploads", json={"files": [{"path": "w", "size": 4 * MEGABYTE}]})
                sent = client.post("/models/upload", params=query, content=bytes(2 * MEGABYTE))
            assert {response.status_code for response in (announced, large, sent)} == {413}
            told[who] = [announced.json(), sent.json(), large.json()]
    assert [each["facts"]["limit"] for each in told["all"]] == [MEGABYTE, MEGABYTE, 3 * MEGABYTE]
    for each in told["some"][:2]:
        assert (each["detail"], each["facts"]) == ("the registry has no room for this", {"option": "quota_mb"})
    assert told["some"][2]["facts"]["limit"] == 3 * MEGABYTE
