"""Uploads in parts, and versions that another registry made: continued, checked, and never half there."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import serving, start, token

from model_registry import ModelEntry, ModelRegistry

API = "/model-registry"
LARGE = os.urandom(3 << 20)
OTHER = LARGE[::-1]


def begin(http: httpx.Client, *files: dict[str, Any]) -> dict[str, Any]:
    response = http.post("/uploads", json={"files": list(files)})
    assert response.status_code == 201, response.text
    upload: dict[str, Any] = response.json()
    return upload


def send(http: httpx.Client, upload: dict[str, Any], number: int, offset: int, data: bytes, **headers: str) -> Any:
    path = f"/uploads/{upload['id']}/files/{number}"
    return http.patch(path, content=data, headers={"Upload-Offset": str(offset), **headers})


def test_a_file_is_sent_in_parts_and_registered(http: httpx.Client) -> None:
    digest = sha256(LARGE).hexdigest()
    upload = begin(http, {"path": "w.bin", "size": len(LARGE), "sha256": digest}, {"path": "sub/c.json"})
    assert [file["offset"] for file in upload["files"]] == [0, 0]
    first = send(http, upload, 0, 0, LARGE[:1_000_000])
    assert (first.status_code, first.headers["upload-offset"]) == (200, "1000000")
    wrong = send(http, upload, 0, 5, LARGE[5:])
    assert (wrong.status_code, wrong.json()["facts"]["offset"]) == (409, 1_000_000)
    unfinished = http.post("/models/upload", json={"upload": upload["id"], "name": "parts", "format": "opaque"})
    assert (unfinished.status_code, unfinished.json()["error"]) == (409, "IncompleteError")
    assert send(http, upload, 0, 1_000_000, LARGE[1_000_000:]).json()["done"]
    assert send(http, upload, 1, 0, b"{}", **{"Upload-Complete": "true"}).json()["done"]
    body = {"upload": upload["id"], "name": "parts", "format": "opaque", "author": "Ada", "tags": ["a"]}
    made = http.post("/models/upload", json=body)
    assert made.status_code == 201, made.text
    assert (made.json()["metadata"]["author"], made.json()["metadata"]["tags"]) == ("Ada", ["a"])
    assert [file["path"] for file in http.get("/models/parts").json()["files"]] == ["sub/c.json", "w.bin"]
    assert http.get("/models/parts/download", params={"path": "w.bin"}).content == LARGE
    assert http.get(f"/uploads/{upload['id']}").status_code == 404


def test_a_path_that_is_announced_twice_is_refused_before_anything_comes(http: httpx.Client) -> None:
    twice = http.post("/uploads", json={"files": [{"path": "a/x"}, {"path": "a//x"}]})
    assert (twice.status_code, twice.json()["detail"]) == (422, "'a/x' is there twice")


def a_registry(folder: Path) -> Path:
    """A new one, for which tokens can be made: it has a model."""
    (folder / "m").write_bytes(b"m")
    ModelRegistry(folder / "models").register_model("m", folder / "m", "opaque")
    return folder / "models"


def test_an_upload_becomes_one_version_however_often_its_answer_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as first, httpx.Client(base_url=first.url + API, timeout=60) as http:
        upload = begin(http, {"path": "m.bin", "size": 3})
        send(http, upload, 0, 0, b"abc")
        body = {"upload": upload["id"], "name": "once", "format": "opaque"}
        made = http.post("/models/upload", json=body)
        assert (made.status_code, made.json()["version"]) == (201, "1.0.0")
    with serving(folder) as second, httpx.Client(base_url=second.url + API, timeout=60) as http:
        again = http.post("/models/upload", json=body)
        assert (again.status_code, again.json()) == (201, made.json())
        assert again.headers["location"] == made.headers["location"]
    assert len(ModelRegistry(folder).list_models(name="once")) == 1


def test_what_an_upload_became_is_told_to_its_owner_alone(tmp_path: Path) -> None:
    folder = a_registry(tmp_path)
    first, second = ({"Authorization": f"Bearer {token(folder, name, 'writer')}"} for name in ("ada", "bob"))
    with serving(folder) as running, httpx.Client(base_url=running.url + API, timeout=60, headers=first) as http:
        upload = begin(http, {"path": "m.bin", "size": 3})
        send(http, upload, 0, 0, b"abc")
        body = {"upload": upload["id"], "name": "hers", "format": "opaque"}
        assert http.post("/models/upload", json=body).status_code == 201
        assert http.post("/models/upload", json=body, headers=second).status_code == 404
        assert http.post("/models/upload", json=body).status_code == 201
        log = http.get("/audit", headers={"Authorization": f"Bearer {token(folder, 'root', 'admin')}"}).json()
        assert [entry["action"] for entry in log["entries"]].count("upload_model") == 1


def test_a_part_or_a_file_with_another_digest_is_thrown_away(http: httpx.Client) -> None:
    upload = begin(http, {"path": "w.bin", "size": 10, "sha256": sha256(b"0123456789").hexdigest()})
    claimed = base64.b64encode(sha256(b"01234").digest()).decode()
    bad = send(http, upload, 0, 0, b"01235", **{"Content-Digest": f"sha-256=:{claimed}:"})
    assert (bad.status_code, bad.json()["error"]) == (422, "DigestMismatchError")
    assert send(http, upload, 0, 0, b"01234", **{"Content-Digest": f"sha-256=:{claimed}:"}).json()["offset"] == 5
    assert send(http, upload, 0, 5, b"6789x").json()["error"] == "DigestMismatchError"
    assert http.get(f"/uploads/{upload['id']}").json()["files"][0]["offset"] == 0


def digest_of(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(sha256(data).digest()).decode()}:"


def test_the_digest_of_a_form_is_checked(http: httpx.Client, folder: Path) -> None:
    form = {"data": {"name": "form", "format": "opaque"}, "files": {"file": ("w", b"12345")}}
    request = http.build_request("POST", "/models/upload", **form)  # type: ignore[arg-type]
    body, kind = request.read(), {"Content-Type": request.headers["content-type"]}
    for wrong, status in ((digest_of(b"12345"), 422), ("sha-512=:AAAA:", 400)):
        refused = http.post("/models/upload", content=body, headers={**kind, "Content-Digest": wrong})
        assert refused.status_code == status, refused.text
        assert http.get("/models/form").status_code == 404
        assert list((folder / "server" / "incoming").iterdir()) == []
    made = http.post("/models/upload", content=body, headers={**kind, "Content-Digest": digest_of(body)})
    assert made.status_code == 201, made.text


def test_the_digest_of_a_whole_file_is_not_taken_for_a_parts(http: httpx.Client) -> None:
    upload = begin(http, {"path": "w.bin", "size": 10})
    refused = send(http, upload, 0, 0, b"01234", **{"Repr-Digest": digest_of(b"0123456789")})
    assert (refused.status_code, refused.json()["error"]) == (400, "InvalidBodyError")
    assert "a part is not the whole file" in refused.json()["detail"]
    assert http.get(f"/uploads/{upload['id']}").json()["files"][0]["offset"] == 0


def test_a_part_is_no_form(http: httpx.Client) -> None:
    upload = begin(http, {"path": "w.bin", "size": 1000})
    path = f"/uploads/{upload['id']}/files/0"
    refused = http.patch(path, files={"file": b"0" * 700}, headers={"Upload-Offset": "0"})
    assert (refused.status_code, refused.json()["error"]) == (400, "InvalidBodyError")
    assert "--data-binary" in refused.json()["hint"]
    assert http.get(f"/uploads/{upload['id']}").json()["files"][0]["offset"] == 0


def test_the_digest_of_a_document_is_checked(http: httpx.Client) -> None:
    said = b'{"files": [{"path": "w"}]}'
    kind = {"Content-Type": "application/json"}
    wrong = http.post("/uploads", content=said, headers={**kind, "Content-Digest": digest_of(b"other")})
    assert wrong.status_code == 422
    assert "instead of" in wrong.json()["detail"]
    assert http.post("/uploads", content=said, headers={**kind, "Content-Digest": "md5=:AA==:"}).status_code == 400
    begun = http.post("/uploads", content=said, headers={**kind, "Content-Digest": digest_of(said)})
    assert begun.status_code == 201
    of_it = json.dumps({"upload": begun.json()["id"], "name": "doc", "format": "opaque"}).encode()
    send(http, begun.json(), 0, 0, b"x", **{"Upload-Complete": "true"}).raise_for_status()
    headers = {**kind, "Content-Digest": digest_of(b"other")}
    assert http.post("/models/upload", content=of_it, headers=headers).json()["error"] == "DigestMismatchError"
    headers = {**kind, "Content-Digest": digest_of(of_it)}
    assert http.post("/models/upload", content=of_it, headers=headers).status_code == 201


def test_an_upload_survives_a_server_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    running = start(folder)
    with httpx.Client(base_url=f"{running.url}{API}") as http:
        upload = begin(http, {"path": "w.bin", "size": len(LARGE)})
        send(http, upload, 0, 0, LARGE[:2_000_000]).raise_for_status()
    running.stop(signal.SIGKILL)
    with serving(folder) as again, httpx.Client(base_url=f"{again.url}{API}", timeout=30) as http:
        offset = http.get(f"/uploads/{upload['id']}").json()["files"][0]["offset"]
        assert 0 < offset <= 2_000_000
        send(http, upload, 0, offset, LARGE[offset:]).raise_for_status()
        made = http.post("/models/upload", json={"upload": upload["id"], "name": "m", "format": "opaque"})
        assert made.status_code == 201, made.text
        assert http.get("/models/m/download").content == LARGE


def test_an_upload_becomes_no_other_version(http: httpx.Client) -> None:
    upload = begin(http, {"path": "w.bin", "size": 5})
    send(http, upload, 0, 0, b"bytes").raise_for_status()
    said = {"upload": upload["id"], "name": "once", "format": "opaque"}
    made = http.post("/models/upload", json=said).json()
    assert http.post("/models/upload", json=said).json()["reference"] == made["reference"] == "once:1.0.0"
    for other in ({"name": "twice"}, {"version": "2.0.0"}):
        refused = http.post("/models/upload", json={**said, **other})
        assert (refused.status_code, refused.json()["error"]) == (422, "InvalidOptionError")
        assert refused.json()["detail"] == f"upload {upload['id']} became once:1.0.0"
    assert http.get("/models/twice").status_code == 404


def test_a_version_is_told_even_if_what_became_of_its_upload_cannot_be_noted(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}", timeout=30) as http:
        upload = begin(http, {"path": "w.bin", "size": 5})
        send(http, upload, 0, 0, b"bytes").raise_for_status()
        with closing(sqlite3.connect(folder / "server" / "state.sqlite")) as db:
            for what in ("INSERT ON upload_outcomes", "DELETE ON uploads"):
                spoilt = "BEGIN INSERT INTO nowhere VALUES (1); END"
                db.execute(f"CREATE TRIGGER no_{what[:6]} BEFORE {what} {spoilt}")
            db.commit()
        said = {"upload": upload["id"], "name": "m", "format": "opaque"}
        for _ in range(2):
            made = http.post("/models/upload", json=said)
            assert made.status_code == 201, made.text
            assert made.json()["reference"] == "m:1.0.0"
        assert len(http.get("/models/m/versions").json()["versions"]) == 1


def test_an_upload_is_its_owners(tmp_path: Path) -> None:
    folder = a_registry(tmp_path)
    one, other = token(folder, "one", "writer"), token(folder, "other", "writer")
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}") as http:
        http.headers["Authorization"] = f"Bearer {one}"
        upload = begin(http, {"path": "w.bin"})
        http.headers["Authorization"] = f"Bearer {other}"
        assert http.get(f"/uploads/{upload['id']}").status_code == 403
        assert send(http, upload, 0, 0, b"x").status_code == 403
        assert http.delete(f"/uploads/{upload['id']}").status_code == 403


def test_what_is_too_large_is_refused_before_it_comes(tmp_path: Path) -> None:
    options = "max_upload_mb = 2\nquota_mb = 5"
    with serving(tmp_path / "models", options=options) as running:
        http = httpx.Client(base_url=f"{running.url}{API}", timeout=30)
        with http:
            query = {"name": "m", "format": "opaque"}
            large = http.post("/models/upload", params=query, content=LARGE + LARGE)
            assert (large.status_code, large.json()["error"]) == (413, "TooLargeError")
            announced = http.post("/uploads", json={"files": [{"path": "w", "size": 2_000_001}]})
            assert announced.status_code in (201, 413)

            def chunks() -> Any:  # no Content-Length: counted while it comes
                for start in range(0, len(LARGE), 100_000):
                    yield LARGE[start : start + 100_000]

            try:
                unsaid = http.post("/models/upload", params=query, content=chunks())
                assert unsaid.status_code == 413
            except (httpx.WriteError, httpx.ReadError):
                pass  # refused while it was sent
            for number in range(2):
                data = bytes([number]) * 1_900_000
                assert http.post("/models/upload", params=query, content=data).status_code == 201
            full = http.post("/models/upload", params=query, content=b"2" * 1_900_000 + os.urandom(1000))
            assert full.status_code == 413
            assert len(http.get("/models").json()["versions"]) == 2


@pytest.fixture
def made(tmp_path: Path) -> ModelEntry:
    """A version of another registry, with a large file and a small one."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "w.bin").write_bytes(OTHER)
    (source / "c.json").write_bytes(b"made elsewhere")
    return ModelRegistry(tmp_path / "other").register_model("team/sent", source, "opaque", version="3.1")


def send_all(http: httpx.Client, entry: ModelEntry, missing: list[str]) -> str:
    """An upload of blobs of a version, all of which have come."""
    files = [{"path": digest, "size": entry.blobs[digest], "sha256": digest} for digest in missing]
    upload = begin(http, *files)
    for number, digest in enumerate(missing):
        data = entry.blob(digest).read_bytes()
        if data:
            send(http, upload, number, 0, data).raise_for_status()
    identifier: str = upload["id"]
    return identifier


def push(http: httpx.Client, entry: ModelEntry, missing: list[str]) -> httpx.Response:
    body = {"digest": entry.digest, "upload": send_all(http, entry, missing), "records": list(entry.blobs)}
    return http.post(f"/models/{entry.name.replace('/', '%2F')}/receive", json=body)


def test_a_version_of_another_registry_comes_with_its_digest(http: httpx.Client, made: ModelEntry) -> None:
    offered = http.post("/models/team%2Fsent/missing", json={"blobs": dict(made.blobs)}).json()
    assert {made.digest, *(file.sha256 for file in made.files)} <= set(offered["missing"]) <= set(made.blobs)
    response = push(http, made, offered["missing"])
    assert response.status_code == 201, response.text
    assert (response.json()["digest"], response.json()["version"]) == (made.digest, "3.1")
    again = http.post("/models/team%2Fsent/missing", json={"blobs": dict(made.blobs)}).json()
    assert again["missing"] == []
    assert http.get("/models/team%2Fsent/next-version").json() == {"version": "3.1.1"}
    told = http.get("/models/team%2Fsent/blobs").json()
    assert told["blobs"] == dict(made.blobs)
    for digest in made.blobs:
        assert http.get(f"/models/team%2Fsent/blobs/{digest}").content == made.blob(digest).read_bytes()


def at_once(count: int, ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The answers to a question that so many ask at the same time."""
    barrier = threading.Barrier(count)

    def asked(_: int) -> httpx.Response:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(asked, range(count)))


def require_one_made(answers: list[httpx.Response]) -> None:
    """One made a version, and each of the others is told why it did not."""
    others = [answer for answer in answers if answer.status_code != 201]
    assert len(others) == len(answers) - 1, [answer.text for answer in answers]
    said = {(answer.status_code, answer.json()["error"]) for answer in others}
    assert said <= {(409, "ConflictError"), (404, "UploadNotFoundError")}, said


def test_an_upload_that_many_finish_at_once_becomes_one_version(http: httpx.Client) -> None:
    for number in range(3):
        upload = begin(http, {"path": "w.bin", "size": 5})
        send(http, upload, 0, 0, b"01234").raise_for_status()
        body = {"upload": upload["id"], "name": f"once{number}", "format": "opaque"}
        answers = at_once(6, lambda body=body: http.post("/models/upload", json=body))  # type: ignore[misc]
        told = [answer.json()["reference"] for answer in answers if answer.status_code == 201]
        assert {*told} == {f"once{number}:1.0.0"}  # whoever comes late is told of the same
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len(http.get(f"/models/once{number}/versions").json()["versions"]) == 1


def test_a_version_that_is_received_many_times_at_once_is_one(tmp_path: Path, made: ModelEntry) -> None:
    with serving(tmp_path / "models") as running, httpx.Client(base_url=f"{running.url}{API}", timeout=60) as http:
        upload = send_all(http, made, list(made.blobs))
        body = {"digest": made.digest, "upload": upload, "records": list(made.blobs), "exist_ok": True}
        require_one_made(at_once(6, lambda: http.post("/models/team%2Fsent/receive", json=body)))
        versions = http.get("/models/team%2Fsent/versions").json()["versions"]
        assert [version["digest"] for version in versions] == [made.digest]


DEADLY = """
import os, signal
from model_registry import hookimpl

class Plugin:
    @hookimpl
    def registered(self, entry):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def deadly(tmp_path: Path) -> dict[str, str]:
    """Variables with which whatever registers a version dies as soon as it is there."""
    info = tmp_path / "site" / "deadly-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[model_registry.plugins]\ndeadly = deadly:Plugin\n")
    (tmp_path / "site" / "deadly.py").write_text(DEADLY)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))}


def test_a_worker_that_dies_right_after_its_work_leaves_a_trace(
    tmp_path: Path, deadly: dict[str, str], made: ModelEntry
) -> None:
    folder = tmp_path / "models"
    with (
        serving(folder, environ=deadly) as running,
        httpx.Client(base_url=f"{running.url}{API}", timeout=60) as http,
    ):
        query = {"name": "body", "format": "opaque"}
        upload = begin(http, {"path": "w.bin", "size": 5})
        send(http, upload, 0, 0, b"56789").raise_for_status()
        answers = [
            http.post("/models/upload", params=query, content=b"01234"),
            http.post("/models/upload", json={"upload": upload["id"], "name": "parts", "format": "opaque"}),
            push(http, made, list(made.blobs)),
        ]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert http.get("/models/body/download").content == b"01234"
        assert http.get("/models/parts/download").content == b"56789"
        assert http.get("/models/team%2Fsent").json()["digest"] == made.digest
        entries = http.get("/audit").json()["entries"]
        told = [(entry["action"], entry["subject"]) for entry in reversed(entries)]
        assert [one for one in told if one[0] != "begin_upload"] == [
            ("upload_model.interrupted", "body"),
            ("upload_model.interrupted", "parts"),
            ("receive_version.interrupted", "team/sent"),
        ]
        assert http.get("/audit/verify").json()["intact"]
    with serving(folder) as again, httpx.Client(base_url=f"{again.url}{API}", timeout=60) as http:
        report = http.get("/validate", params={"deep": True}, headers={"Prefer": "wait=60"}).json()
        assert report["errors"] == []


def test_a_version_of_another_name_is_refused(http: httpx.Client, made: ModelEntry) -> None:
    upload = begin(http, *({"path": digest, "size": size, "sha256": digest} for digest, size in made.blobs.items()))
    for file in upload["files"]:
        if file["size"]:
            send(http, upload, file["number"], 0, made.blob(file["sha256"]).read_bytes()).raise_for_status()
    body = {"digest": made.digest, "upload": upload["id"], "records": []}
    response = http.post("/models/elsewhere/receive", json=body)
    assert (response.status_code, response.json()["error"]) == (422, "UnsafeModelError")
    assert http.get("/models/elsewhere").status_code == 404


def test_bytes_of_other_models_have_to_be_sent_by_who_may_not_see_them(tmp_path: Path, made: ModelEntry) -> None:
    folder = tmp_path / "models"
    secret = tmp_path / "secret"
    secret.write_bytes(OTHER)
    ModelRegistry(folder).register_model("hidden", secret, "opaque")
    text = token(folder, "w", "writer", "team/*")
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}", timeout=30) as http:
        http.headers["Authorization"] = f"Bearer {text}"
        offered = http.post("/models/team%2Fsent/missing", json={"blobs": dict(made.blobs)}).json()
        assert sha256(OTHER).hexdigest() in offered["missing"]  # that it is stored is not told
        fewer = [digest for digest in made.blobs if digest != sha256(OTHER).hexdigest()]
        refused = push(http, made, fewer)
        assert (refused.status_code, refused.json()["error"]) == (422, "UnsafeModelError")
        assert http.get("/models/team%2Fsent").status_code == 404
        assert push(http, made, list(made.blobs)).status_code == 201
