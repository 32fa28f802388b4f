"""The endpoints of the specification, and what belongs to them, asked of a real server."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running

from model_registry import ModelRegistry

LARGE = os.urandom(5 << 20)


def upload(http: httpx.Client, name: str, data: bytes = b"weights", filename: str = "model.bin", **fields: str) -> Any:
    response = http.post(
        "/models/upload", data={"name": name, "format": "opaque", **fields}, files={"file": (filename, data)}
    )
    assert response.status_code == 201, response.text
    return response.json()


@pytest.fixture(scope="module")
def digits(http: httpx.Client) -> list[dict[str, Any]]:
    """Three versions of a model, of which the second is large."""
    metrics = [{"accuracy": 0.95}, {"accuracy": 0.97}, {"accuracy": 0.99}]
    return [
        upload(http, "digits", data, performance_metrics=json.dumps(metric), tags="mnist, cnn", type="classification")
        for data, metric in zip([b"one", LARGE, b"three"], metrics, strict=True)
    ]


def test_an_upload_becomes_a_version(http: httpx.Client, digits: list[dict[str, Any]], folder: Path) -> None:
    assert [each["version"] for each in digits] == ["1.0.0", "1.0.1", "1.0.2"]
    metadata = digits[0]["metadata"]
    assert (metadata["tags"], metadata["model_type"]) == (["mnist", "cnn"], "classification")
    assert metadata["performance_metrics"] == {"accuracy": 0.95}
    entry = ModelRegistry(folder).resolve("digits", "1.0.1")
    assert entry.digest == digits[1]["digest"]
    assert [file.sha256 for file in entry.files] == [sha256(LARGE).hexdigest()]
    assert entry.verify_integrity()


def test_models_are_listed_page_by_page(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    seen, cursor = [], None
    for _ in range(3):
        page = http.get(
            "/models", params={"name": "digits", "limit": 1, **({"after": cursor} if cursor else {})}
        ).json()
        seen += [each["reference"] for each in page["versions"]]
        cursor = page["cursor"]
    assert seen == [each["reference"] for each in digits]
    assert cursor is None


def test_an_answer_is_made_anew_when_something_changed_and_not_sent_again_otherwise(http: httpx.Client) -> None:
    upload(http, "changing")
    first = http.get("/models", params={"name": "changing"})
    again = http.get("/models", params={"name": "changing"}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    upload(http, "changing")
    after = http.get("/models", params={"name": "changing"}, headers={"If-None-Match": first.headers["etag"]})
    assert [each["version"] for each in after.json()["versions"]] == ["1.0.0", "1.0.1"]


def test_a_change_by_another_process_is_seen_at_once(http: httpx.Client, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    for number in range(3):
        ModelRegistry(folder).register_model("elsewhere", tmp_path / "f", "opaque", exist_ok=False)
        assert len(http.get("/models", params={"name": "elsewhere"}).json()["versions"]) == number + 1


@pytest.mark.parametrize(
    ("choice", "version"), [({}, "1.0.2"), ({"version": "1.0.1"}, "1.0.1"), ({"version": "@best"}, "1.0.0")]
)
def test_a_version_is_chosen_by_number_or_alias(
    http: httpx.Client, digits: list[dict[str, Any]], choice: dict[str, str], version: str
) -> None:
    http.put("/models/digits/aliases/best", json={"version": "1.0.0"}).raise_for_status()
    told = http.get("/models/digits", params=choice).json()
    assert told["version"] == version
    assert [file["path"] for file in told["files"]] == ["model.bin"]
    assert told["provenance"]["actor"] == "local"


def test_a_query_finds_versions(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    query = "name = 'digits' and metrics.accuracy >= 0.97 order by metrics.accuracy desc"
    page = http.get("/search", params={"query": query}).json()
    assert [each["version"] for each in page["versions"]] == ["1.0.2", "1.0.1"]
    first = http.get("/search", params={"query": query, "limit": 1}).json()
    second = http.get("/search", params={"query": query, "limit": 1, "after": first["cursor"]}).json()
    assert [second["versions"][0]["version"], second["cursor"]] == ["1.0.1", None]


def test_a_mistake_in_a_query_is_told_with_its_column(http: httpx.Client) -> None:
    response = http.get("/search", params={"query": "size >"})
    problem = response.json()
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert (problem["error"], problem["facts"]["column"]) == ("InvalidQueryError", 7)


def test_what_is_not_there_is_a_problem_with_a_hint(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    problem = http.get("/models/digit").json()
    assert (problem["status"], problem["error"]) == (404, "ModelNotFoundError")
    assert problem["hint"] == "did you mean 'digits'?"
    assert http.get("/models/digits", params={"version": "7"}).json()["error"] == "VersionNotFoundError"


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "facts", "hint"),
    [
        ("PUT", "/models/digits", {}, 405, {"allowed": ["DELETE", "GET"]}, "takes DELETE and GET"),
        ("GET", "/nothing", {}, 404, {"api": "/model-registry"}, "the API begins at /model-registry; /openapi.json"),
        ("GET", "/models", {"headers": {"Host": "a.test"}}, 421, {"host": "a.test", "option": "hosts"}, "hosts of"),
        ("GET", "/models?limit=x", {}, 422, {"fields": ["query.limit"]}, "/openapi.json"),
        ("POST", "/parity", {"json": {"a": "digits"}}, 422, {"fields": ["body.b"]}, 'such as {"a": "digits:1.0.0",'),
        ("POST", "/parity", {"data": {"a": "digits"}}, 422, {"fields": ["body"]}, "json, not application/x-www"),
        ("POST", "/parity", {"json": {"a": "x", "b": "y", "tolerence": 1}}, 422, {}, "did you mean 'tolerance'?"),
        ("POST", "/models/upload", {"json": {"name": "x"}}, 400, {}, 'send JSON such as {"upload": '),
        ("POST", "/parity", {"content": bytes(9 << 20)}, 413, {"limit": 256 << 10}, "in parts, by POST /uploads"),
        ("GET", "/models/digits/download", {"headers": {"If-Match": '"other"'}}, 412, {}, "ask without If-Match"),
    ],
)
def test_a_refusal_says_what_is_meant_and_what_to_do(
    http: httpx.Client,
    digits: list[dict[str, Any]],
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
    facts: dict[str, Any],
    hint: str,
) -> None:
    response = http.request(method, path, **sent)
    problem = response.json()
    assert (response.status_code, problem["status"]) == (status, status)
    assert facts.items() <= problem["facts"].items()
    assert hint in problem["hint"]
    if status == 405:
        assert response.headers["allow"] == "DELETE, GET"


def test_a_path_without_the_beginning_of_the_api_is_answered_with_it(server: Running) -> None:
    problem = httpx.get(f"{server.url}/models").json()
    assert problem["hint"].startswith("did you mean /model-registry/models?")


def test_a_single_file_is_downloaded_as_it_is(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    response = http.get("/models/digits/download", params={"version": "1.0.1"})
    assert response.content == LARGE
    assert response.headers["etag"] == f'"sha256:{sha256(LARGE).hexdigest()}"'
    assert response.headers["content-disposition"].startswith('attachment; filename="digits-1.0.1.bin"')
    again = http.get(
        "/models/digits/download", params={"version": "1.0.1"}, headers={"If-None-Match": response.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_download_goes_on_where_it_ended(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    etag = f'"sha256:{sha256(LARGE).hexdigest()}"'
    rest = http.get(
        "/models/digits/download", params={"version": "1.0.1"}, headers={"Range": "bytes=1000000-", "If-Range": etag}
    )
    assert (rest.status_code, rest.content) == (206, LARGE[1_000_000:])
    other = http.get(
        "/models/digits/download", params={"version": "1.0.1"}, headers={"Range": "bytes=9-", "If-Range": '"other"'}
    )
    assert (other.status_code, other.content) == (200, LARGE)
    beyond = http.get("/models/digits/download", headers={"Range": "bytes=100-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */5")


def test_a_folder_is_uploaded_and_downloaded_as_one(http: httpx.Client) -> None:
    files = {"config.json": b"{}", "weights/a.bin": b"a" * 1000, "weights/b.bin": b"b"}
    parts = [("file", (path, data)) for path, data in files.items()]
    made = http.post("/models/upload", data={"name": "folder", "format": "opaque"}, files=parts)
    assert made.status_code == 201, made.text
    got = http.get("/models/folder/download")
    with tarfile.open(fileobj=io.BytesIO(got.content)) as tar:
        names = [member.name for member in tar.getmembers()]
        assert {name: tar.extractfile(name).read() for name in names} == files  # type: ignore[union-attr]
    half = http.get("/models/folder/download", headers={"Range": "bytes=700-", "If-Range": got.headers["etag"]})
    assert half.content == got.content[700:]
    with zipfile.ZipFile(io.BytesIO(http.get("/models/folder/download", params={"archive": "zip"}).content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    assert http.get("/models/folder/download", params={"path": "weights/a.bin"}).content == files["weights/a.bin"]
    assert http.get("/models/folder/download", params={"path": "other"}).status_code == 404


def test_a_body_that_is_the_file_is_enough(http: httpx.Client) -> None:
    query = {"name": "body", "filename": "m.bin", "format": "opaque", "description": "手写数字"}
    response = http.post("/models/upload", params=query, content=b"12345")
    assert response.status_code == 201, response.text
    assert response.json()["metadata"]["description"] == "手写数字"
    assert response.headers["location"] == "/model-registry/models/body?version=1.0.0"
    assert http.get("/models/body/download").content == b"12345"


def test_an_upload_says_who_sent_it_and_nothing_of_the_machine_that_took_it(
    http: httpx.Client, digits: list[dict[str, Any]]
) -> None:
    told = http.get("/models/digits").json()
    assert (told["provenance"], told["environment"]) == ({"actor": "local"}, None)


@pytest.mark.parametrize(
    ("path", "parameter", "hint"),
    [
        ("/models?limt=2", "limt", "did you mean 'limit'?"),
        ("/models/digits?versoin=1.0.0", "versoin", "did you mean 'version'?"),
        ("/models/digits/download?nothing=1", "nothing", "there are: version, path, archive"),
        ("/stats?limit=2", "limit", "there are none here"),
    ],
)
def test_a_parameter_that_is_misspelt_is_not_ignored(
    http: httpx.Client, digits: list[dict[str, Any]], path: str, parameter: str, hint: str
) -> None:
    response = http.get(path)
    assert response.status_code == 422
    problem = response.json()
    assert (problem["error"], problem["hint"]) == ("InvalidOptionError", hint)
    assert problem["facts"] == {"option": parameter}


@pytest.mark.parametrize("where", ["data", "params"])
def test_a_field_that_is_misspelt_becomes_no_metadata(http: httpx.Client, where: str) -> None:
    said = {"name": f"misspelt-{where}", "format": "opaque", "discription": "reads digits", "colour": "red"}
    sent = {"data": said, "files": {"file": ("m", b"1")}} if where == "data" else {"params": said, "content": b"1"}
    response = http.post("/models/upload", **sent)  # type: ignore[arg-type]
    assert response.status_code == 422
    assert response.json()["detail"] == "discription: is no field"
    assert response.json()["hint"].startswith("did you mean 'description'? If it is your own, say metadata=")
    assert http.get(f"/models/misspelt-{where}").status_code == 404
    own = json.dumps({"discription": "reads digits"})
    told = upload(http, f"misspelt-{where}", colour="red", metadata=own)
    assert told["metadata"]["extra"] == {"discription": "reads digits", "colour": "red"}


@pytest.mark.parametrize("paths", [["notes.txt"], ["notes.txt", "deep/more.txt"]])
def test_an_upload_that_nobody_recognises_is_told_by_its_own_name(
    http: httpx.Client, folder: Path, paths: list[str]
) -> None:
    files = [("file", (path, b"some words that are no model")) for path in paths]
    response = http.post("/models/upload", data={"name": "unknown"}, files=files)
    assert response.status_code == 422
    problem = response.json()
    assert ("'notes.txt'" if len(paths) == 1 else "the folder 'model'") in problem["detail"]
    assert "format=" in problem["hint"]
    assert "model_format" not in response.text
    assert not [word for word in (str(folder), "incoming") if word in response.text]


def test_a_body_with_another_digest_than_was_told_is_refused(http: httpx.Client, folder: Path) -> None:
    import base64

    wrong = base64.b64encode(sha256(b"other").digest()).decode()
    response = http.post(
        "/models/upload",
        params={"name": "wrong", "format": "opaque"},
        content=b"12345",
        headers={"Content-Digest": f"sha-256=:{wrong}:"},
    )
    assert response.json()["error"] == "DigestMismatchError"
    assert response.status_code == 422
    assert http.get("/models/wrong").status_code == 404
    assert list((folder / "server" / "incoming").iterdir()) == []


@pytest.mark.parametrize("filename", ["../x", "/etc/x", "a/../../x", "a\\b", "x" * 600, ""])
def test_a_file_name_that_leads_elsewhere_is_refused(http: httpx.Client, folder: Path, filename: str) -> None:
    response = http.post(
        "/models/upload", params={"name": "evil", "format": "opaque", "filename": filename or "."}, content=b"x"
    )
    assert (response.status_code, response.json()["error"]) == (422, "InvalidNameError")


def test_a_name_with_slashes_is_one_name(http: httpx.Client) -> None:
    upload(http, "team/group/digits", b"of a team")
    for path in ("/models/team%2Fgroup%2Fdigits", "/models/team/group/digits"):
        assert http.get(path).json()["name"] == "team/group/digits"
        assert http.get(f"{path}/download").content == b"of a team"
    upload(http, "team/download", b"called like an operation")
    assert http.get("/models/team%2Fdownload/download").content == b"called like an operation"
    assert http.get("/models/team%2Fdownload").json()["name"] == "team/download"
    twice = http.get("/models/team%252Fdownload")
    assert (twice.status_code, twice.json()["error"]) == (422, "InvalidNameError")  # decoded once, so there is a «%»


def test_control_characters_in_a_path_are_refused(http: httpx.Client) -> None:
    assert http.get("/models/team%01download").status_code == 400
    assert http.get("/models/%ff").status_code == 400


def test_what_is_removed_can_be_restored(http: httpx.Client) -> None:
    upload(http, "gone", b"1")
    upload(http, "gone", b"2")
    removed = http.delete("/models/gone", params={"version": "latest"}).json()
    assert ([each["version"] for each in removed["removed"]], removed["restorable"]) == (["1.0.1"], True)
    assert http.get("/models/gone").json()["version"] == "1.0.0"
    http.delete("/models/gone").raise_for_status()  # the only one that is left
    assert http.get("/models/gone").status_code == 404
    assert http.delete("/models/gone").status_code == 404
    assert [each["version"] for each in http.get("/models", params={"removed": True}).json()["versions"]] >= ["1.0.0"]
    assert len(http.post("/models/gone/restore").json()["restored"]) == 2
    assert http.get("/models/gone").json()["version"] == "1.0.1"


def test_several_versions_are_removed_only_on_purpose(http: httpx.Client) -> None:
    for data in (b"1", b"2", b"3"):
        upload(http, "several", data)
    refused = http.delete("/models/several")
    assert (refused.status_code, refused.json()["facts"]) == (422, {"option": "version"})
    assert refused.json()["detail"] == "several has 3 versions"
    assert refused.json()["hint"] == "say which: ?version=1.0.2, or ?all=true for every one of them"
    assert http.delete("/models/several", params={"all": True, "version": "1.0.0"}).status_code == 422
    assert len(http.get("/models/several/versions").json()["versions"]) == 3
    removed = http.delete("/models/several", params={"all": True}).json()["removed"]
    assert [each["version"] for each in removed] == ["1.0.0", "1.0.1", "1.0.2"]
    assert http.get("/models/several").status_code == 404


def test_a_version_is_immutable(http: httpx.Client) -> None:
    upload(http, "once", b"1", version="2")
    again = http.post(
        "/models/upload", data={"name": "once", "format": "opaque", "version": "2"}, files={"file": ("m", b"2")}
    )
    assert (again.status_code, again.json()["error"]) == (409, "VersionExistsError")
    unclear = {"name": "once", "format": "opaque", "version": "2", "exist_ok": "ture"}
    refused = http.post("/models/upload", data=unclear, files={"file": ("m", b"1")})
    assert (refused.status_code, refused.json()["facts"]["option"]) == (422, "exist_ok")
    same = upload(http, "once", b"1", version="2", exist_ok="true")
    assert same["digest"] == http.get("/models/once").json()["digest"]


def test_the_registry_is_validated(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    accepted = http.get("/validate")
    assert accepted.status_code in (200, 202)
    found = http.get("/validate", headers={"Prefer": "wait=30"})
    assert found.status_code == 200, found.text
    assert found.json()["errors"] == []
    assert found.json()["valid_models"] == found.json()["total_models"] >= 3


def test_there_are_statistics(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    stats = http.get("/stats").json()
    assert stats["versions"] >= 3
    assert stats["stored_bytes"] >= len(LARGE)


def test_an_export_without_conversion_is_answered_at_once(http: httpx.Client, digits: list[dict[str, Any]]) -> None:
    response = http.get("/models/digits/export", params={"version": "1.0.1"})
    assert (response.status_code, response.content) == (200, LARGE)
    impossible = http.get("/models/digits/export", params={"format": "onnx"})
    assert (impossible.status_code, impossible.json()["error"]) == (415, "UnsupportedFormatError")


def test_a_hub_that_no_plugin_knows_is_told_by_the_job(http: httpx.Client) -> None:
    accepted = http.post("/models/sentences/register-from-hub", json={"repo_id": "a/b"})
    assert accepted.status_code == 202
    job = http.get(accepted.headers["location"].removeprefix("/model-registry"), headers={"Prefer": "wait=30"}).json()
    assert job["state"] == "failed"
    assert job["error"]["type"] in ("UnsupportedFormatError", "StorageError", "SourceNotFoundError")
