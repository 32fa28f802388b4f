"""Who may do what: every route says so, tokens are needed where others can reach the server, and changes are noted."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from running import Running, serving, token

from model_registry import ModelRegistry
from model_registry_server.api.permission import Permission, Route, permission_of
from model_registry_server.app import routes_of
from model_registry_server.security.roles import Role

API = "/model-registry"
OPEN = {"/healthz", "/readyz", "/me"}
#: What is sent where a body is needed; a refusal comes before anybody looks at it.
PARAMETERS = {
    "name": "team-a/m",
    "alias": "best",
    "key": "stage",
    "id": "0" * 32,
    "number": 0,
    "sha256": "0" * 64,
    "delivery": "0" * 32,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access") / "models"
    registry = ModelRegistry(folder)
    (folder.parent / "f").write_bytes(b"x")
    for name in ("team-a/m", "team-b/m"):
        registry.register_model(name, folder.parent / "f", "opaque", performance_metrics={"accuracy": 0.5})
    registry.link("team-a/m", "1.0.0", "team-b/m")
    return folder


@pytest.fixture(scope="module")
def tokens(folder: Path) -> dict[str, str]:
    return {
        "reader": token(folder, "r", "reader", "team-a/*"),
        "writer": token(folder, "w", "writer", "team-a/*"),
        "all": token(folder, "all", "reader"),
        "admin": token(folder, "boss", "admin"),
    }


@pytest.fixture(scope="module")
def server(folder: Path, tokens: dict[str, str]) -> Iterator[Running]:
    with serving(folder, options='auth = "required"') as running:
        yield running


@pytest.fixture
def ask(server: Running, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    class Asking(httpx.Client):
        def as_(self, who: str, method: str, path: str, **rest: object) -> httpx.Response:
            return self.request(method, path, headers={"Authorization": f"Bearer {tokens[who]}"}, **rest)  # type: ignore[arg-type]

    with Asking(base_url=f"{server.url}{API}", timeout=30) as client:
        yield client


def everything() -> list[tuple[str, str, Permission]]:
    return [
        (method, route.path, permission_of(route.endpoint))
        for route in routes_of()
        for method in sorted(route.methods or ())
    ]


def filled(path: str) -> str:
    for name, value in PARAMETERS.items():
        for kind in ("", ":model", ":whole", ":part"):
            path = path.replace(f"{{{name}{kind}}}", str(value).replace("/", "%2F"))
    assert "{" not in path
    return path


def test_every_route_declares_a_permission() -> None:
    declared = everything()
    assert len(declared) > 50
    assert {path for _, path, permission in declared if permission.role is None} == OPEN
    for method, path, permission in declared:
        changes = method in ("PUT", "PATCH", "DELETE") or (method == "POST" and permission.changes is not False)
        own_jobs_and_trials = {"/jobs/{id:part}", "/models/{name:model}/recommend-compression"}
        if changes and path not in own_jobs_and_trials:
            assert permission.role in (Role.WRITER, Role.ADMIN), (method, path)


def test_a_route_without_a_permission_cannot_be_made() -> None:
    router = APIRouter(route_class=Route)

    with pytest.raises(TypeError, match="declares no permission"):

        @router.get("/secret")
        def secret() -> str:
            return "secret"


def test_nothing_is_told_without_a_token(server: Running) -> None:
    for method, path, permission in everything():
        prefix = "" if path in ("/healthz", "/readyz", "/metrics") else API
        with httpx.Client(base_url=server.url, timeout=30) as client:
            response = client.request(method, f"{prefix}{filled(path)}")
        if permission.role is None:
            assert response.status_code == 200, (method, path)
        else:
            assert response.status_code == 401, (method, path)
            assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_reader_changes_nothing(server: Running, tokens: dict[str, str]) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {tokens['all']}"}, timeout=30) as client:
        for method, path, permission in everything():
            if permission.role in (Role.WRITER, Role.ADMIN):
                prefix = "" if path == "/metrics" else API
                response = client.request(method, f"{prefix}{filled(path)}")
                assert response.status_code == 403, (method, path)
                assert response.json()["error"] == "ForbiddenError"


def test_a_token_is_for_its_models_alone(server: Running, tokens: dict[str, str]) -> None:
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {tokens['writer']}"}, timeout=30
    ) as client:
        for method, path, permission in everything():
            if "{name:" in path:
                foreign = filled(path.replace("{name:model}", "team-b%2Fm").replace("{name:whole}", "team-b%2Fm"))
                response = client.request(method, f"{API}{foreign}")
                assert response.status_code == 403, (method, path)
            elif permission.everything:
                prefix = "" if path == "/metrics" else API
                assert client.request(method, f"{prefix}{filled(path)}").status_code == 403, (method, path)


def test_other_models_are_not_seen(ask: httpx.Client) -> None:
    names = lambda response: {each["name"] for each in response.json()["versions"]}  # noqa: E731
    assert names(ask.as_("reader", "GET", "/models")) == {"team-a/m"}
    assert names(ask.as_("all", "GET", "/models")) == {"team-a/m", "team-b/m"}
    assert names(ask.as_("reader", "GET", "/search", params={"query": "metrics.accuracy > 0"})) == {"team-a/m"}
    events = ask.as_("reader", "GET", "/history").json()["events"]
    assert {event["model"] for event in events} == {"team-a/m"}
    assert ask.as_("reader", "GET", "/compare", params={"a": "team-a/m", "b": "team-b/m"}).status_code == 403
    (parent,) = ask.as_("reader", "GET", "/models/team-a/m/lineage").json()["parents"]
    assert (parent["state"], parent["name"], parent["digest"]) == ("hidden", None, None)
    (parent,) = ask.as_("all", "GET", "/models/team-a/m/lineage").json()["parents"]
    assert parent["name"] == "team-b/m"


def test_a_name_in_a_body_is_held_against_the_token_too(ask: httpx.Client) -> None:
    form = {"name": "team-b/new", "format": "opaque"}
    assert ask.as_("writer", "POST", "/models/upload", data=form, files={"file": ("f", b"x")}).status_code == 403
    form = {"name": "team-a/new", "format": "opaque", "parent": "team-b/m"}
    assert ask.as_("writer", "POST", "/models/upload", data=form, files={"file": ("f", b"x")}).status_code == 403
    body = {"to": "onnx", "new_name": "team-b/stolen"}
    assert ask.as_("writer", "POST", "/models/team-a/m/convert", json=body).status_code == 403
    link = {"parent": "team-b/m:1.0.0"}
    assert ask.as_("writer", "POST", "/models/team-a/m/parents", json=link).status_code == 403


def test_a_wrong_token_is_refused(server: Running, tokens: dict[str, str]) -> None:
    good = tokens["reader"]
    for text in ("x", good[:-1], good + "x", good.replace("mr_", "mr-"), f"{good[:12]}{'A' * 43}"):
        response = httpx.get(f"{server.url}{API}/models", headers={"Authorization": f"Bearer {text}"})
        assert (response.status_code, response.json()["error"]) == (401, "AuthenticationError")
    basic = httpx.get(f"{server.url}{API}/models", headers={"Authorization": f"Basic {good}"})
    assert basic.status_code == 401


def test_a_revoked_token_is_refused_within_a_second(folder: Path, ask: httpx.Client, tokens: dict[str, str]) -> None:
    made = ask.as_("admin", "POST", "/tokens", json={"name": "short", "role": "writer", "models": ["x/*"]}).json()
    tokens["short"] = made["token"]
    assert ask.as_("short", "GET", "/me").json() == {"name": "short", "role": "writer", "models": ["x/*"]}
    words = ["--registry", str(folder), "token", "revoke", made["id"]]
    subprocess.run([sys.executable, "-m", "model_registry", *words], check=True, capture_output=True)
    time.sleep(1)
    assert ask.as_("short", "GET", "/me").status_code == 401
    assert "token" not in ask.as_("admin", "GET", "/tokens").json()["tokens"][0]


def test_changes_are_noted_with_who_and_from_where(ask: httpx.Client) -> None:
    ask.as_("writer", "PUT", "/models/team-a/m/tags/stage", json={"value": "prod"}).raise_for_status()
    ask.as_("reader", "DELETE", "/models/team-a/m")
    log = ask.as_("admin", "GET", "/audit", params={"subject": "team-a/m"}).json()["entries"]
    refused, done = log[0], log[1]
    assert (refused["actor"], refused["action"]) == ("r", "remove_model.refused")
    assert (done["actor"], done["action"], done["address"]) == ("w", "set_tag", "127.0.0.1")
    assert done["details"]["key"] == "stage"
    assert ask.as_("admin", "GET", "/audit/verify").json()["intact"]
    event = ask.as_("writer", "GET", "/models/team-a/m/history").json()["events"][0]
    assert (event["actor"], event["action"]) == ("w", "tag-set")


def test_a_page_elsewhere_changes_nothing(folder: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "models") as running, httpx.Client(base_url=running.url) as client:
        form = {"name": "evil", "format": "opaque"}
        foreign = client.post(
            f"{API}/models/upload", data=form, files={"file": ("f", b"x")}, headers={"Origin": "http://evil.example"}
        )
        assert foreign.status_code == 403
        rebound = client.get(f"{API}/models", headers={"Host": "evil.example"})
        assert rebound.status_code == 421
        assert client.get(f"{API}/models").json()["versions"] == []


def test_the_first_token_closes_an_open_server(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}") as client:
        assert client.get("/me").json() == {"name": "local", "role": "admin", "models": ["*"]}
        assert client.get("/models").status_code == 200
        text = token(folder, "first", "reader")
        time.sleep(1)
        assert client.get("/models").status_code == 401
        assert client.get("/models", headers={"Authorization": f"Bearer {text}"}).status_code == 200


def test_too_many_requests_are_refused_for_a_while(tmp_path: Path) -> None:
    with serving(tmp_path / "models", options="rate_limit = 10") as running, httpx.Client() as client:
        codes = [client.get(f"{running.url}{API}/models").status_code for _ in range(12)]
        assert codes[:10] == [200] * 10
        assert codes[11] == 429
        refused = client.get(f"{running.url}{API}/models")
        assert 1 <= int(refused.headers["retry-after"]) <= 6
