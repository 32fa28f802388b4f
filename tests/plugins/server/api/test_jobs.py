"""Work that takes long: polled, followed, cancelled, done once for all who ask, and continued by the next server."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, serving, start, token

from model_registry import ModelRegistry

API = "/model-registry"
JSON = {"Content-Type": "application/json"}
pytest.importorskip("model_registry_onnx")
torch = pytest.importorskip("torch")
pytest.importorskip("model_registry_pytorch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jobs") / "models"
    torch.manual_seed(1)
    layers = [torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)]
    ModelRegistry(folder).register_model("net", torch.nn.Sequential(*layers), input_shape=[64])
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with serving(folder) as running:
        yield running


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            kind = line[7:]
        if line.startswith("data: "):
            yield kind, json.loads(line[6:])


def test_an_export_is_a_job_and_then_a_file(http: httpx.Client, folder: Path, tmp_path: Path) -> None:
    accepted = http.get("/models/net/export", params={"format": "onnx"})
    assert accepted.status_code == 202
    again = http.get("/models/net/export", params={"format": "onnx"})
    assert again.json()["id"] == accepted.json()["id"]  # the same work is done once
    url = accepted.headers["location"].removeprefix(API)
    with http.stream("GET", f"{url}/events") as stream:
        told = list(events(stream))
    assert [kind for kind, _ in told][-1] == "succeeded"
    assert told[-1][1]["result"]["parity"]["passed"]
    assert told[-1][1]["result"].keys() == {"parity"}  # where it is on the server is nobody's business
    file = http.get("/models/net/export", params={"format": "onnx"})
    assert file.status_code == 200
    assert file.headers["content-disposition"].startswith('attachment; filename="net-1.0.0.onnx"')
    (tmp_path / "net.onnx").write_bytes(file.content)
    session = pytest.importorskip("onnxruntime").InferenceSession(tmp_path / "net.onnx")
    x = torch.ones(2, 64)
    expected = ModelRegistry(folder).load_model("net").model(x)
    assert torch.allclose(expected, torch.from_numpy(session.run(None, {"input": x.numpy()})[0]), atol=1e-5)
    half = http.get("/models/net/export", params={"format": "onnx"}, headers={"Range": "bytes=100-199"})
    assert (half.status_code, half.content) == (206, file.content[100:200])


def test_a_conversion_becomes_a_version(http: httpx.Client) -> None:
    body = {"to": "onnx", "new_name": "net-onnx"}
    done = http.post("/models/net/convert", json=body, headers={"Prefer": "wait=60"}).json()
    assert done["state"] == "succeeded", done
    assert done["result"]["reference"] == "net-onnx:1.0.0"
    told = http.get("/models/net-onnx").json()
    assert (told["parents"][0]["relation"], told["parents"][0]["name"]) == ("converted", "net")
    assert told["environment"]["command"] == ["model-registry-worker"]
    parity = http.post("/parity", json={"a": "net", "b": "net-onnx"}, headers={"Prefer": "wait=60"}).json()
    assert parity["result"]["passed"], parity
    plan = http.get("/models/net/plan", params={"to": "ort"}).json()["steps"]
    assert [(step["source"], step["target"]) for step in plan] == [("pytorch", "onnx"), ("onnx", "ort")]


def test_what_is_inside_is_told_without_loading(http: httpx.Client) -> None:
    inside = http.get("/models/net/inside").json()
    assert {tensor["name"]: tensor["shape"] for tensor in inside["tensors"]}["0.weight"] == [64, 64]
    assert inside["modules"]["1"].startswith("torch.nn.modules.activation.ReLU")


def test_two_versions_are_compared(http: httpx.Client, folder: Path) -> None:
    model = ModelRegistry(folder).load_model("net").model
    with torch.no_grad():
        model[2].bias += 1
    ModelRegistry(folder).register_model("net", model, input_shape=[64])
    found = http.get("/compare", params={"a": "net:1.0.0", "b": "net:1.0.1", "differences": True}).json()
    changed = {tensor["name"]: tensor["max_abs"] for tensor in found["tensors"] if tensor["status"] == "changed"}
    assert changed == {"2.bias": pytest.approx(1.0)}


@pytest.fixture(scope="module")
def large(folder: Path) -> None:
    """A model with which work takes a while."""
    torch.manual_seed(2)
    model = torch.nn.Sequential(*[torch.nn.Linear(512, 512) for _ in range(40)])
    ModelRegistry(folder).register_model("large", model, input_shape=[512])


def test_a_job_is_cancelled(http: httpx.Client, large: None) -> None:
    job = http.post("/models/large/convert", json={"to": "onnx"}).json()
    cancelled = http.delete(f"/jobs/{job['id']}")
    assert cancelled.status_code == 200
    ended = http.get(f"/jobs/{job['id']}", headers={"Prefer": "wait=30"}).json()
    assert ended["state"] == "cancelled"
    assert len(http.get("/models/large/versions").json()["versions"]) == 1


def test_an_export_that_fails_while_one_waits_is_an_error(http: httpx.Client) -> None:
    wrong = {"format": "onnx", "options": '{"opset": 1}'}
    failed = http.get("/models/net/export", params=wrong, headers={"Prefer": "wait=60"})
    assert failed.status_code in (400, 415, 422), failed.text
    assert failed.headers["content-type"] == "application/problem+json"
    assert "opset" in failed.json()["detail"]


def test_an_export_with_an_option_that_nobody_knows_is_refused_before_it_is_a_job(http: httpx.Client) -> None:
    before = [job["id"] for job in http.get("/jobs").json()["jobs"]]
    refused = http.get("/models/net/export", params={"format": "onnx", "options": '{"opsett": 17}'})
    assert refused.status_code == 422, refused.text
    assert refused.json()["detail"] == "exporting to format 'onnx' knows no option 'opsett'"
    assert "opset" in refused.json()["hint"]
    assert [job["id"] for job in http.get("/jobs").json()["jobs"]] == before


def test_a_job_that_fails_says_why(http: httpx.Client) -> None:
    body = {"compression": "quantization_int8", "min_cosine": 1.0, "new_name": "refused"}
    job = http.post("/models/net/compress", json=body, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "failed"
    assert job["error"]["type"] in ("ParityError", "UnsupportedFormatError")
    assert http.get("/models/refused").status_code == 404


def test_a_pickle_that_asks_for_more_than_data_is_refused_and_may_be_kept_unopened(
    http: httpx.Client, tmp_path: Path
) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'executed'}",)

    torch.save({"w": Evil()}, tmp_path / "evil.pt")
    data = (tmp_path / "evil.pt").read_bytes()
    files = {"file": ("evil.pt", data)}
    refused = http.post("/models/upload", data={"name": "evil"}, files=files)
    assert (refused.status_code, refused.json()["error"]) == (422, "UnsafeModelError")
    kept = http.post("/models/upload", data={"name": "evil", "format": "opaque"}, files=files)
    assert kept.status_code == 201
    assert http.get("/models/evil/download").content == data
    assert not (tmp_path / "executed").exists()


def test_a_state_dict_is_read_by_the_safe_loader(http: httpx.Client, tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2, 3)}, tmp_path / "w.pt")
    made = http.post(
        "/models/upload", data={"name": "safe"}, files={"file": ("w.pt", (tmp_path / "w.pt").read_bytes())}
    )
    assert made.status_code == 201, made.text
    assert made.json()["metadata"]["format"] == "pytorch"


def test_the_next_server_goes_on_with_a_job(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    torch.manual_seed(3)
    ModelRegistry(folder).register_model("net", torch.nn.Linear(8, 2), input_shape=[8])
    running = start(folder)
    with httpx.Client(base_url=f"{running.url}{API}", timeout=60) as http:
        job = http.post("/models/net/convert", json={"to": "onnx"}).json()
        deadline = time.monotonic() + 20
        while http.get(f"/jobs/{job['id']}").json()["state"] == "queued":
            assert time.monotonic() < deadline
    running.stop(signal.SIGKILL)
    with serving(folder) as again, httpx.Client(base_url=f"{again.url}{API}", timeout=90) as http:
        ended = http.get(f"/jobs/{job['id']}", headers={"Prefer": "wait=60"}).json()
        assert ended["state"] == "succeeded", ended
        assert len(http.get("/models/net/versions").json()["versions"]) == 2


@pytest.mark.parametrize("path", ["", "/events"], ids=["polled", "followed"])
def test_a_long_result_is_handed_on_as_it_is_kept(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "models"
    ModelRegistry(folder)
    finding = {"severity": "error", "code": "blob-damaged", "where": "m:1.0.0", "message": "é" * 50, "advice": "repair"}
    text = json.dumps({"findings": [finding] * 60_000})
    begun = time.process_time()
    json.dumps(json.loads(text))
    parsing = time.process_time() - begun
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}", timeout=60) as http:
        id = http.get("/validate").json()["id"]
        http.get(f"/jobs/{id}", headers={"Prefer": "wait=30"}).raise_for_status()
        with closing(sqlite3.connect(folder / "server" / "state.sqlite")) as db, db:
            db.execute("UPDATE jobs SET result = ?", (text,))
        before = _cpu_seconds(running)
        answers = [http.get(f"/jobs/{id}{path}") for _ in range(10)]
        taken = (_cpu_seconds(running) - before) / 10
    told = [json.loads(each.text.partition("data: ")[2] if path else each.text) for each in (answers[0], answers[-1])]
    assert [each["result"] for each in told] == [json.loads(text)] * 2
    assert taken < parsing


def _cpu_seconds(running: Running) -> float:
    fields = Path(f"/proc/{running.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_jobs_of_other_models_are_not_seen(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (tmp_path / "f").write_bytes(b"x")
    for name in ("team-a/m", "team-b/m"):
        ModelRegistry(folder).register_model(name, tmp_path / "f", "opaque")
    writers = {name: token(folder, name, "writer", f"team-{name}/*") for name in ("a", "b")}
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}", timeout=60) as http:
        headers = {name: {"Authorization": f"Bearer {text}"} for name, text in writers.items()}
        job = http.post("/models/team-a/m/restore-hot", json={}, headers=headers["a"]).json()
        assert [each["id"] for each in http.get("/jobs", headers=headers["a"]).json()["jobs"]] == [job["id"]]
        assert http.get("/jobs", headers=headers["b"]).json() == {"jobs": [], "cursor": None}
        paths = [("GET", "/jobs/{}"), ("DELETE", "/jobs/{}"), ("GET", "/jobs/{}/events"), ("GET", "/jobs?before={}")]
        for method, path in paths:
            told = [
                http.request(method, path.format(id), headers=headers["b"]) for id in (job["id"], "0123456789abcdef")
            ]
            assert [each.status_code for each in told] == [404, 404]
            assert told[0].text.replace(job["id"], "0123456789abcdef") == told[1].text


def test_a_page_of_jobs_is_full_and_its_cursor_is_one_that_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (tmp_path / "f").write_bytes(b"x")
    for name in ("team-a/m", "team-b/m"):
        ModelRegistry(folder).register_model(name, tmp_path / "f", "opaque")
    writers = {name: token(folder, name, "writer", f"team-{name}/*") for name in ("a", "b")}
    with serving(folder) as running, httpx.Client(base_url=running.url, timeout=60) as http:
        made: dict[str, list[str]] = {"a": [], "b": []}
        for name in "abbabbbaab":
            headers = {"Authorization": f"Bearer {writers[name]}"}
            job = http.post(f"{API}/models/team-{name}/m/restore-hot", json={}, headers=headers).json()
            made[name].append(job["id"])
        of_a = {"Authorization": f"Bearer {writers['a']}"}
        first = http.get(f"{API}/jobs", params={"limit": 3}, headers=of_a).json()
        assert [each["id"] for each in first["jobs"]] == made["a"][:0:-1]
        assert first["cursor"] == made["a"][1]
        last = http.get(f"{API}/jobs", params={"limit": 1, "before": first["cursor"]}, headers=of_a).json()
        assert ([each["id"] for each in last["jobs"]], last["cursor"]) == (made["a"][:1], None)
        http.post("/ui/login", data={"token": writers["a"]}, headers={"Origin": running.url})
        shown = set(re.findall(r"/ui/jobs/([0-9a-f]{16})", http.get("/ui/jobs").text))
        assert shown == set(made["a"])
        hidden, unknown = (http.get(f"/ui/jobs/{id}") for id in (made["b"][0], "0123456789abcdef"))
        assert hidden.text.replace(made["b"][0], "0123456789abcdef") == unknown.text
        assert hidden.status_code == unknown.status_code == 404


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_before_it_is_in_a_job(http: httpx.Client, number: str) -> None:
    before = http.get("/jobs").text
    options = f'{{"opset": {number}}}'
    refused = [
        http.get("/models/net/export", params={"format": "onnx", "options": options}),
        http.post("/models/net/convert", content=f'{{"to": "onnx", "options": {options}}}', headers=JSON),
        http.post("/models/net/compress", content=f'{{"compression": "x", "options": {options}}}', headers=JSON),
    ]
    assert [each.status_code for each in refused] == [422] * 3
    assert {each.json()["detail"] for each in refused} == {"a job is given finite numbers only"}
    assert http.get("/jobs").text == before


def test_nobody_queues_jobs_without_end(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    torch.manual_seed(4)
    model = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(20)])
    ModelRegistry(folder).register_model("m", model, input_shape=[256])
    running = start(folder, options="workers = 1")
    with httpx.Client(base_url=f"{running.url}{API}", timeout=60) as http:
        codes = [http.post("/models/m/convert", json={"to": "onnx"}).status_code for _ in range(110)]
    running.stop(signal.SIGKILL)
    assert codes[:100] == [202] * 100
    assert 429 in codes[100:]
