"""What somebody with bad intentions sends: too much of it, in the wrong place, or to learn what they may not."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, serving, token

from model_registry import ModelRegistry

API = "/model-registry"
SECRET = "team-b/secret"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacks") / "models"
    registry = ModelRegistry(folder)
    for name, accuracy in ((SECRET, 0.975), ("team-a/m", 0.5), ("team-a/n", 0.4)):
        file = folder.parent / "f"
        file.write_bytes(name.encode() * 1000)
        registry.register_model(name, file, "opaque", performance_metrics={"accuracy": accuracy})
    registry.register_model("team-a/child", folder.parent / "f", "opaque", parent=SECRET)
    registry.link("team-a/m", "1.0.0", SECRET)
    return folder


@pytest.fixture(scope="module")
def tokens(folder: Path) -> dict[str, str]:
    roles = {"reader": "reader", "writer": "writer"}
    return {name: token(folder, name, role, "team-a/*") for name, role in roles.items()} | {
        "admin": token(folder, "admin", "admin")
    }


@pytest.fixture(scope="module")
def server(folder: Path, tokens: dict[str, str]) -> Iterator[Running]:
    with serving(folder, options="rate_limit = 0\nbody_timeout = 3") as running:
        yield running


@pytest.fixture(params=["reader"])
def reader(server: Running, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{server.url}{API}", headers={"Authorization": f"Bearer {tokens['reader']}"}, timeout=30
    ) as client:
        yield client


@pytest.fixture
def writer(server: Running, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{server.url}{API}", headers={"Authorization": f"Bearer {tokens['writer']}"}, timeout=30
    ) as client:
        yield client


def megabytes(running: Running) -> float:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
        b"GET /",
        b"POST /model-registry/parity HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ],
    ids=["headers", "a header", "the url", "trailers"],
)
def test_a_head_without_end_takes_no_memory(server: Running, begin: bytes) -> None:
    before = megabytes(server)
    line = b"X-n: " + b"a" * 8000 + b"\r\n" if begin.endswith(b"\r\n") else b"a" * 8000
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection, suppress(OSError):
        connection.sendall(begin)
        while sent < 100_000_000:
            connection.sendall(line * 20)
            sent += 20 * len(line)
    assert sent < 50_000_000
    assert megabytes(server) < before + 30
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_what_comes_after_a_body_is_no_header(server: Running, tokens: dict[str, str]) -> None:
    body = json.dumps({"role": "admin"}).encode()
    request = (
        f"POST {API}/tokens HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        f"Content-Type: application/json\r\nConnection: close\r\n\r\n{len(body):x}\r\n"
    ).encode() + body
    request += f"\r\n0\r\nAuthorization: Bearer {tokens['admin']}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401")


def test_a_body_that_is_read_whole_is_bounded(server: Running, reader: httpx.Client) -> None:
    large = {"a": "x" * (9 << 20), "b": "y"}
    refused = reader.post("/parity", json=large)
    assert refused.status_code == 413

    def chunks() -> Iterator[bytes]:
        yield b'{"a": "'
        for _ in range(100):
            yield b"x" * (1 << 20)

    with suppress(httpx.WriteError, httpx.ReadError):
        assert reader.post("/parity", content=chunks()).status_code == 413
    assert megabytes(server) < 250


def test_a_body_that_is_read_whole_has_to_come(server: Running, tokens: dict[str, str]) -> None:
    head = f"POST {API}/parity HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {tokens['reader']}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 408")


def test_pages_and_cursors_tell_nothing_of_other_models(reader: httpx.Client) -> None:
    import base64

    for query in ("order by metrics.accuracy desc", "metrics.accuracy > 0.97", "name like 'team-b/%'"):
        after: str | None = None
        for _ in range(5):
            page = reader.get(
                "/search", params={"query": query, "limit": 1, **({"after": after} if after else {})}
            ).json()
            assert all(version["name"].startswith("team-a/") for version in page["versions"])
            after = page["cursor"]
            if after is None:
                break
            told = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))
            assert b"team-b" not in told
            assert b"0.975" not in told
    assert reader.get("/search", params={"query": "metrics.accuracy > 0.97", "limit": 1}).json()["cursor"] is None


def test_all_pages_together_have_every_version_that_may_be_seen(reader: httpx.Client) -> None:
    for path, query in (("/search", {"query": "order by metrics.accuracy"}), ("/models", {})):
        seen, after = [], None
        for _ in range(10):
            page = reader.get(path, params={**query, "limit": 1, **({"after": after} if after else {})}).json()
            seen += [version["reference"] for version in page["versions"]]
            after = page["cursor"]
            if after is None:
                break
        assert sorted(seen) == ["team-a/child:1.0.0", "team-a/m:1.0.0", "team-a/n:1.0.0"]


def test_names_of_other_models_are_not_told(reader: httpx.Client, writer: httpx.Client) -> None:
    texts = [
        reader.get("/models/team-a%2Fsecret").text,
        writer.post("/models/team-a%2Fm/parents", json={"parent": "team-a/secret"}).text,
        reader.get("/models/team-a%2Fchild").text.replace(json.dumps({"relation": "derived"})[1:-1], ""),
        reader.get("/models/team-a%2Fm").text,
        reader.get("/models/team-a%2Fm/history").text,
        reader.get("/history").text,
        reader.get("/models/team-a%2Fm/lineage").text,
        reader.get("/models").text,
    ]
    found = [text for text in texts if SECRET in text]
    assert found == []


def test_that_other_models_have_some_bytes_is_not_told(writer: httpx.Client, folder: Path) -> None:
    entry = ModelRegistry(folder).resolve(SECRET)
    stored = [entry.digest, entry.files[0].sha256, sha256(b"nowhere").hexdigest()]
    answers = []
    for digest in stored:
        response = writer.post("/models/team-a%2Fm/receive", json={"digest": digest})
        answers.append((response.status_code, response.json()["detail"].replace(digest, "")))
    assert len(set(answers)) == 1


def test_a_stream_ends_with_its_token(server: Running, tokens: dict[str, str]) -> None:
    admin = {"Authorization": f"Bearer {tokens['admin']}"}
    made = httpx.post(f"{server.url}{API}/tokens", json={"name": "short", "models": ["*"]}, headers=admin).json()
    ended = threading.Event()

    def follow() -> None:
        headers = {"Authorization": f"Bearer {made['token']}"}
        with (
            suppress(httpx.HTTPError),
            httpx.stream("GET", f"{server.url}{API}/events", headers=headers, timeout=40) as stream,
        ):
            for _ in stream.iter_lines():
                begun.set()
        ended.set()

    begun = threading.Event()
    thread = threading.Thread(target=follow)
    thread.start()
    assert begun.wait(20)
    httpx.delete(f"{server.url}{API}/tokens/{made['id']}", headers=admin).raise_for_status()
    assert ended.wait(20)
    thread.join()


def test_the_audit_log_takes_no_more_than_it_needs(
    server: Running, reader: httpx.Client, tokens: dict[str, str]
) -> None:
    reader.delete(f"/models/{'a' * 30_000}")
    log = httpx.get(f"{server.url}{API}/audit", headers={"Authorization": f"Bearer {tokens['admin']}"}).json()
    assert len(json.dumps(log["entries"][0])) < 3000


@pytest.mark.parametrize(
    "said",
    [
        {"parent": "[1]"},
        {"parent": '[["x"]]'},
        {"parent": '{"name": "team-a/m", "x": 1}'},
        {"metadata": "[1]"},
        {"metadata": '{"parent": 5}'},
        {"metadata": '{"weights_only": false}'},
        {"metadata": '{"x": NaN}'},
        {"metadata": '{"x": 1e400}'},
        {"metadata": '{"x": ' + "[" * 500 + "]" * 500 + "}"},
        {"performance_metrics": "[1]"},
        {"options": "[1]"},
        {"options": '{"allow_code": true}'},
        {"self": "x"},
        {"model": "x"},
        {"weights_only": "false"},
        {"path": "/etc/passwd"},
        {"digests": '{"/etc/passwd": "x"}'},
    ],
    ids=str,
)
def test_what_cannot_be_said_is_refused(writer: httpx.Client, said: dict[str, str]) -> None:
    form = {"name": "team-a/said", "format": "opaque", **said}
    response = writer.post("/models/upload", data=form, files={"file": ("f", b"x")})
    assert response.status_code == 422, response.text
    assert writer.get("/models/team-a%2Fsaid").status_code == 404


def test_a_job_that_cannot_be_written_down_again_is_not_taken(writer: httpx.Client) -> None:
    deep: Any = 1
    for _ in range(480):
        deep = [deep]
    response = writer.post("/models/team-a%2Fm/convert", json={"to": "onnx", "options": {"a": deep}})
    assert response.status_code == 422
    assert writer.get("/jobs").status_code == 200


def test_an_upload_is_there_still_if_it_could_not_be_registered(writer: httpx.Client) -> None:
    data = os.urandom(100_000)
    upload = writer.post("/uploads", json={"files": [{"path": "w", "size": len(data)}]}).json()
    writer.patch(f"/uploads/{upload['id']}/files/0", content=data, headers={"Upload-Offset": "0"}).raise_for_status()
    body = {"upload": upload["id"], "name": "team-a/m", "format": "opaque", "version": "1.0.0"}
    assert writer.post("/models/upload", json=body).status_code == 409
    made = writer.post("/models/upload", json={**body, "version": "2.0.0"})
    assert made.status_code == 201, made.text
    assert writer.get("/models/team-a%2Fm/download", params={"version": "2.0.0"}).content == data


def test_a_quota_holds_for_all_who_upload_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "models", options="quota_mb = 10") as running:
        codes: list[int] = []

        def upload(number: int) -> None:
            def chunks() -> Iterator[bytes]:
                for _ in range(6):
                    yield os.urandom(1_000_000)
                    time.sleep(0.05)

            with suppress(httpx.HTTPError):
                query = {"name": f"m{number}", "format": "opaque"}
                codes.append(
                    httpx.post(
                        f"{running.url}{API}/models/upload", params=query, content=chunks(), timeout=30
                    ).status_code
                )

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes.count(201) == 1
        assert httpx.get(f"{running.url}{API}/stats").json()["stored_bytes"] < 10_000_000


def test_whoever_holds_a_transaction_holds_up_nobody_who_reads(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (tmp_path / "f").write_bytes(b"x")
    ModelRegistry(folder).register_model("m", tmp_path / "f", "opaque")
    headers = {"Authorization": f"Bearer {token(folder, 'reader', 'reader')}"}
    with serving(folder) as running, httpx.Client(base_url=running.url, headers=headers, timeout=15) as client:
        with ExitStack() as held:
            for file in ("catalog.sqlite", "server/state.sqlite"):
                db = held.enter_context(closing(sqlite3.connect(folder / file, isolation_level=None)))
                db.execute("BEGIN EXCLUSIVE")
            for path in ("/models", "/models", "/models/m", "/models/m/download", "/me", "/history"):  # twice: kept
                assert client.get(f"{API}{path}").status_code == 200
        assert client.get("/healthz").status_code == 200


def test_guesses_at_the_page_that_asks_for_a_token_are_limited(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    good = token(folder, "good", "reader")
    with serving(folder, options="rate_limit = 10") as running, httpx.Client(base_url=running.url) as client:
        client.headers["Origin"] = running.url
        codes = [client.post("/ui/login", data={"token": f"mr_{n:08d}_{'A' * 43}"}).status_code for n in range(11)]
        assert codes == [401] * 10 + [429]
        refused = client.post("/ui/login", data={"token": good})
        assert refused.status_code == 429  # or it would tell that this one is right
        assert int(refused.headers["retry-after"]) > 0
        assert client.get("/ui/login").status_code == 200


def test_a_server_that_others_pass_requests_on_to_is_not_open(tmp_path: Path) -> None:
    with serving(tmp_path / "models", options='hosts = ["models.example.com"]') as running:
        for host in ("models.example.com", "localhost"):
            assert httpx.get(f"{running.url}{API}/models", headers={"Host": host}).status_code == 401


def test_whoever_looks_after_the_server_may_ask_as_often_as_they_want(tmp_path: Path) -> None:
    with serving(tmp_path / "models", options='rate_limit = 10\nauth = "required"') as running:
        assert {httpx.get(f"{running.url}/healthz").status_code for _ in range(30)} == {200}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{API}/parity", "application/json"),
        (f"{API}/models/upload?name=team-a/long", "application/octet-stream"),
        (f"{API}/uploads/{{upload}}/files/0", "application/octet-stream"),
        ("/ui/language", "application/x-www-form-urlencoded"),
    ],
)
def test_a_length_of_many_digits_is_one(
    server: Running, writer: httpx.Client, tokens: dict[str, str], path: str, kind: str
) -> None:
    path = path.format(upload=writer.post("/uploads", json={"files": [{"path": "w", "size": 2}]}).json()["id"])
    method = "PATCH" if "files" in path else "POST"
    request = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {tokens['writer']}\r\n"
        f"Origin: http://localhost\r\nUpload-Offset: 0\r\nContent-Type: {kind}\r\nConnection: close\r\n"
        f"Content-Length: {2:05000}\r\n\r\n{{}}"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 ")
    assert not answer.startswith(b"HTTP/1.1 5"), answer


def test_half_of_a_letter_is_no_text(writer: httpx.Client) -> None:
    for body in (b'{"upload": "\\ud800", "name": "team-a/x"}', b'{"upload": "x", "name": "\\ud800"}'):
        response = writer.post("/models/upload", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400, response.text


def test_only_admins_see_where_on_the_server_something_is(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    registry = ModelRegistry(folder)
    headers = {role: {"Authorization": f"Bearer {token(folder, role, role)}"} for role in ("admin", "reader")}
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}", timeout=60) as client:
        job = client.post("/backup", json={}, headers={**headers["admin"], "Prefer": "wait=60"}).json()
        backup = Path(job["result"]["path"])
        assert backup.is_file()
        address = f"/jobs/{job['id']}"
        assert client.get(address, headers=headers["admin"]).json()["result"]["path"] == str(backup)
        assert client.get(address, headers=headers["reader"]).json()["result"]["path"] == backup.name
        assert client.get("/stats", headers=headers["admin"]).json() == registry.get_detailed_stats()
        assert client.get("/stats", headers=headers["reader"]).json()["path"] == "models"
        told = [client.get(path, headers=headers["reader"]).text for path in (address, f"{address}/events", "/stats")]
        told.append(httpx.get(f"{running.url}/ui{address}", headers=headers["reader"]).text)
    assert not [text for text in told if str(tmp_path) in text]


def test_a_refused_name_is_shown_as_it_is_written(
    server: Running, reader: httpx.Client, tokens: dict[str, str]
) -> None:
    assert reader.delete("/models/team-a%2F%E2%80%AEgnp.exe").status_code == 403
    page = httpx.get(f"{server.url}/ui/audit", headers={"Authorization": f"Bearer {tokens['admin']}"}).text
    assert "team-a/\\u202egnp.exe" in page
    assert "\u202e" not in page


def test_a_token_that_ends_after_the_last_year_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    headers = {"Authorization": f"Bearer {token(folder, 'admin', 'admin')}"}
    with serving(folder) as running, httpx.Client(base_url=running.url, headers=headers, timeout=15) as client:
        for end, status in (("9999-12-31T23:59:59-23:00", 422), ("9999-12-31T00:00:00Z", 201)):
            assert client.post(f"{API}/tokens", json={"expires_at": end}).status_code == status
        with closing(sqlite3.connect(folder / "server/state.sqlite", isolation_level=None)) as db:
            db.execute("UPDATE tokens SET expires_at = ? WHERE expires_at IS NOT NULL", (1 << 62,))
        told = client.get(f"{API}/tokens").json()["tokens"]
        assert [each["expires_at"] for each in told] == [None, "9999-12-31T00:00:00+00:00"]
        assert client.get("/ui/tokens").status_code == 200


@pytest.mark.parametrize("order", [{}, {"role": "writer"}, {"role": "admin", "models": ["team/*"]}])
def test_the_first_token_locks_nobody_out(tmp_path: Path, order: dict[str, object]) -> None:
    with serving(tmp_path / "models") as running, httpx.Client(base_url=running.url, timeout=15) as client:
        assert '<option value="admin" selected>' in client.get("/ui/tokens").text
        refused = client.post(f"{API}/tokens", json=order)
        assert (refused.status_code, refused.json()["error"]) == (422, "InvalidOptionError")
        form = {"role": "reader", "models": " ".join(map(str, order.get("models", [])))}
        assert client.post("/ui/tokens", data=form).status_code == 422
        assert client.get(f"{API}/tokens").json() == {"tokens": []}
        made = client.post(f"{API}/tokens", json={"role": "admin"})
        assert made.status_code == 201
        client.headers["Authorization"] = f"Bearer {made.json()['token']}"
        assert client.post(f"{API}/tokens", json=order).status_code == 201


def test_a_metric_that_is_too_large_for_a_float_is_shown(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "models")
    (tmp_path / "f").write_bytes(b"x")
    for version, value in (("1.0.0", 10**400), ("1.1.0", 5), ("1.2.0", -(10**400)), ("1.3.0", 7)):
        registry.register_model("m", tmp_path / "f", "opaque", version=version, performance_metrics={"steps": value})
    with serving(tmp_path / "models") as running, httpx.Client(base_url=running.url, timeout=60) as client:
        pages = ["/ui", "/ui/models", "/ui/models/m", "/ui/compare?a=m:1.0.0&b=m:1.1.0&c=m:1.2.0"]
        pages += [f"/ui/models/m/versions/1.{number}.0" for number in range(3)]
        assert [path for path in pages if client.get(path, follow_redirects=True).status_code != 200] == []
        assert "<polyline" in client.get("/ui/models/m").text  # of those that can be drawn
