"""Who may do what: every route says so, tokens are needed where others can reach the server, and changes are noted."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import frozen
from fastapi import APIRouter
from running import Running, serving, start, token

from model_registry import ModelRegistry
from model_registry_server.api.permission import Permission, Route, permission_of
from model_registry_server.app import routed
from model_registry_server.listening.serving import make_server
from model_registry_server.options import ServerOptions
from model_registry_server.security.roles import Role
from model_registry_server.web.page import PageRoute

API = "/model-registry"
HEALTH = ("/healthz", "/readyz", "/metrics")
#: What is for everybody who reaches the server; nothing else is.
OPEN = {
    *("GET /healthz", "GET /readyz", f"GET {API}/me", "GET /openapi.json", "HEAD /openapi.json"),
    *("GET /", "GET /ui", "GET /ui/", "GET /ui/{rest:path}", "GET /ui/static/{mark}/{name}"),
    *("GET /ui/login", "POST /ui/login", "POST /ui/logout", "POST /ui/language"),
}
#: A reader's own jobs, and trials whose results are thrown away.
READERS_CHANGE = {
    f"POST {API}/models/{{name:model}}/recommend-compression",
    f"DELETE {API}/jobs/{{id:part}}",
    "POST /ui/jobs/{id:part}/cancel",
}
#: What is sent where a body is needed; a refusal comes before anybody looks at it.
PARAMETERS = {
    "name": "team-a/m",
    "alias": "best",
    "key": "stage",
    "id": "0" * 32,
    "number": 0,
    "sha256": "0" * 64,
    "delivery": "0" * 32,
    "mark": "0",
    "rest": "nowhere",
    "version": "1.0.0",
}


@frozen
class Mounted:
    method: str
    path: str
    endpoint: object
    is_page: bool

    @property
    def prefix(self) -> str:
        return "" if self.is_page or self.path.startswith(("/ui/static/", "/openapi", *HEALTH)) else API

    @property
    def name(self) -> str:
        return f"{self.method} {self.prefix}{self.path}"

    @property
    def permission(self) -> Permission:
        return permission_of(self.endpoint)

    def ask(self, client: httpx.Client, path: str | None = None) -> httpx.Response:
        return client.request(self.method, f"{self.prefix}{filled(path or self.path)}")


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
        def as_(self, who: str, method: str, path: str, *, acting_for: str = "", **rest: object) -> httpx.Response:
            headers = {"Authorization": f"Bearer {tokens[who]}", "X-Model-Registry-Actor": acting_for}
            return self.request(method, path, headers=headers, **rest)  # type: ignore[arg-type]

    with Asking(base_url=f"{server.url}{API}", timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> list[Mounted]:
    """All that the application answers, whoever put it there."""
    registry = ModelRegistry(tmp_path_factory.mktemp("mounted") / "models")
    app = routed(make_server(registry, ServerOptions(), {}))
    return [
        Mounted(method, route.path, getattr(route, "endpoint", None), isinstance(route, PageRoute))
        for route in leaves(app.routes)
        for method in sorted(route.methods or ())
    ]


def leaves(routes: Sequence[Any]) -> Iterator[Any]:
    for route in routes:
        router = getattr(route, "original_router", None)  # so newer releases of FastAPI hold what was included
        yield from (route,) if router is None else leaves(router.routes)


def without_own(mounted: list[Mounted]) -> list[Mounted]:
    """Without what the framework answers itself."""
    return [each for each in mounted if each.path != "/openapi.json"]


def filled(path: str) -> str:
    for name, value in PARAMETERS.items():
        for kind in ("", ":model", ":whole", ":part", ":path"):
            path = path.replace(f"{{{name}{kind}}}", str(value).replace("/", "%2F"))
    assert "{" not in path
    return path


def test_all_that_is_mounted_declares_a_permission(mounted: list[Mounted]) -> None:
    assert len([each for each in mounted if each.is_page]) > 50
    assert len([each for each in mounted if not each.is_page]) > 50
    declared = without_own(mounted)
    others = {each.name for each in mounted} - {each.name for each in declared}
    assert {each.name for each in declared if each.permission.role is None} | others == OPEN
    of_readers = [each for each in declared if each.permission.role is Role.READER]
    changing = {each.name for each in of_readers if each.method not in ("GET", "HEAD")}
    unnoted = {each.name for each in of_readers if each.permission.changes is False}
    assert changing - unnoted == READERS_CHANGE


def test_a_route_without_a_permission_cannot_be_made() -> None:
    router = APIRouter(route_class=Route)

    with pytest.raises(TypeError, match="declares no permission"):

        @router.get("/secret")
        def secret() -> str:
            return "secret"


def test_nothing_is_told_without_a_token(server: Running, mounted: list[Mounted]) -> None:
    for each in mounted:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            response = each.ask(client)
        if each.name in OPEN:
            assert response.status_code not in (401, 403) or each.name == "POST /ui/login"
        elif each.is_page:
            assert (response.status_code, response.headers["location"][:9]) == (303, "/ui/login"), each.name
        else:
            assert response.status_code == 401, each.name
            assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_reader_changes_nothing(server: Running, tokens: dict[str, str], mounted: list[Mounted]) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {tokens['all']}"}, timeout=30) as client:
        for each in without_own(mounted):
            if each.permission.role in (Role.WRITER, Role.ADMIN):
                response = each.ask(client)
                assert response.status_code == 403, each.name
                assert each.is_page or response.json()["error"] == "ForbiddenError"


def test_a_token_is_for_its_models_alone(server: Running, tokens: dict[str, str], mounted: list[Mounted]) -> None:
    headers = {"Authorization": f"Bearer {tokens['writer']}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        for each in without_own(mounted):
            foreign = each.path.replace("{name:model}", "team-b%2Fm").replace("{name:whole}", "team-b%2Fm")
            if foreign != each.path or each.permission.everything:
                assert each.ask(client, foreign).status_code == 403, each.name


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


@pytest.mark.parametrize("said", ["like '%'", "is null", "not in ('{}')"])
@pytest.mark.parametrize("field", ["parents.name", "Parents.VERSION", 'parents."digest"'])
def test_nobody_searches_by_models_that_are_hidden(ask: httpx.Client, field: str, said: str) -> None:
    test = f"{field} {said.format('f' * 64)}"
    for query in (test, f"""extra."it's" = 'x' or not (size > 0 and {test}) order by name"""):
        assert ask.as_("all", "GET", "/search", params={"query": query}).status_code == 200, query
        refused = ask.as_("reader", "GET", "/search", params={"query": query})
        assert refused.status_code == 422, query
        name = field.replace('"', "").lower()
        assert refused.json()["detail"] == f"search: {name} is for tokens of all models, and this one is for some"


def test_pages_search_no_further_than_the_api(server: Running, tokens: dict[str, str]) -> None:
    queries = [
        {"q": "parents.name like 'team-b%'"},
        {"q": "size < 0) or (parents.name like 'team-b%'", "format": "opaque"},
    ]
    for who, is_told in (("all", True), ("reader", False)):
        with httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=30) as client:
            client.post("/ui/login", data={"token": tokens[who]})
            for query in queries:
                page = client.get("/ui/models", params=query)
                assert (page.status_code, "/ui/models/team-a%2Fm" in page.text) == (200 if is_told else 422, is_told)


def test_what_stands_in_texts_and_keys_is_no_field(ask: httpx.Client) -> None:
    queries = ["description like '%parents.name%'", 'extra."parents.name" = 1', "parents.relation = 'derived'"]
    for query in queries:
        assert ask.as_("reader", "GET", "/search", params={"query": query}).status_code == 200, query


def test_parents_that_are_hidden_are_named_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (tmp_path / "f").write_bytes(b"x")
    registry = ModelRegistry(folder)
    parents = {"team-b/secret": [], "team-a/open": [], "team-a/child": ["team-b/secret", "team-a/open"]}
    for name, said in parents.items():
        registry.register_model(name, tmp_path / "f", "opaque", parent=said)
    registry.set_alias("team-a/child", "champ")
    tokens = {"some": token(folder, "w", "writer", "team-a/*"), "all": token(folder, "all", "writer")}
    child = "/models/team-a%2Fchild"
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"{child}/aliases/champ", None),
        ("PUT", f"{child}/aliases/champ", {"version": "1.0.0"}),
        ("PUT", f"{child}/aliases/champ", {"version": "1.0.1"}),
        ("POST", f"{child}/aliases/champ/rollback", None),
        ("POST", f"{child}/aliases/champ/undo", None),
        ("GET", "/compare?a=team-a/child&b=team-a/open", None),
        ("GET", "/compare?a=team-a/open&b=team-a/child", None),
        ("POST", f"{child}/restore-hot", {}),
        ("GET", "/jobs/{}", None),
        ("DELETE", f"{child}?version=1.0.1", None),
        ("POST", f"{child}/restore", None),
    ]
    registry.register_model("team-a/child", tmp_path / "f", "opaque", parent=parents["team-a/child"])
    with serving(folder) as running, httpx.Client(base_url=running.url, timeout=60) as client:
        for who, names_it in (("all", True), ("some", False)):
            headers = {"Authorization": f"Bearer {tokens[who]}", "Prefer": "wait=30"}
            job = ""
            for method, path, body in asked:
                told = client.request(method, f"{API}{path.format(job)}", json=body, headers=headers)
                assert told.is_success, told.text
                assert ("team-b/secret" in told.text) is names_it, path
                assert "team-a/open" in told.text, path
                job = told.json().get("id", job)
            client.post("/ui/login", data={"token": tokens[who]}, headers={"Origin": running.url})
            page = client.get(f"/ui/jobs/{job}").text
            assert ("team-b/secret" in page) is names_it
            assert "team-a/open" in page


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
    path, person = "/models/team-a/m/tags/stage", "J%C3%BCrgen"
    ask.as_("writer", "PUT", path, json={"value": "prod"}, acting_for=person).raise_for_status()
    ask.as_("reader", "DELETE", "/models/team-a/m")
    log = ask.as_("admin", "GET", "/audit", params={"subject": "team-a/m"}).json()["entries"]
    refused, done = log[0], log[1]
    assert (refused["actor"], refused["action"]) == ("r", "remove_model.refused")
    assert (done["actor"], done["action"], done["address"]) == ("w", "set_tag", "127.0.0.1")
    assert (done["details"]["key"], done["details"]["acting_for"]) == ("stage", "Jürgen")
    assert ask.as_("admin", "GET", "/audit/verify").json()["intact"]
    event = ask.as_("writer", "GET", "/models/team-a/m/history").json()["events"][0]
    assert (event["actor"], event["action"]) == ("w (Jürgen)", "tag-set")


def test_what_was_done_is_noted_whatever_fails_after_it(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    registry = ModelRegistry(folder)
    (tmp_path / "f").write_bytes(b"x")
    for name in ("m", "m", "n"):
        registry.register_model(name, tmp_path / "f", "opaque", description=name)
    with serving(folder) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        client.headers["Origin"] = running.url
        with closing(sqlite3.connect(folder / "catalog.sqlite")) as db:  # what is left cannot be read after a removal
            damage = "UPDATE versions SET metadata = x'00' WHERE model_id = OLD.model_id"
            db.execute(f"CREATE TRIGGER damage AFTER UPDATE OF removed_at ON versions BEGIN {damage}; END")
        failed = client.post("/ui/models/m/remove", data={"version": "1.0.0"})
        assert failed.status_code == 422
        wrong = client.post("/ui/models/n/remove", data={"version": "9.9.9"})
        assert wrong.status_code == 404
        (entry,) = client.get(f"{API}/audit").json()["entries"]
        assert (entry["action"], entry["subject"]) == ("remove_model", "m:1.0.0")
        (removed,) = client.get(f"{API}/history", params={"limit": 1}).json()["events"]
        assert (removed["action"], removed["version"]) == ("removed", "1.0.0")


def test_a_token_and_its_entry_in_the_log_are_made_in_one_transaction(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with serving(folder) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        made = client.post(f"{API}/tokens", json={"name": "boss", "role": "admin"}).json()
        client.headers["Authorization"] = f"Bearer {made['token']}"
        other = client.post(f"{API}/tokens", json={"name": "other", "models": ["a/*", "b"]}).json()
        assert client.post(f"{API}/tokens", json={"name": "other"}).status_code == 422
        assert client.delete(f"{API}/tokens/{other['id']}").status_code == 200
        assert client.delete(f"{API}/tokens/{other['id']}").status_code == 404
        log = client.get(f"{API}/audit").json()["entries"]
        actions = [("revoke_token", other["id"]), ("create_token", other["id"]), ("create_token", made["id"])]
        assert [(entry["action"], entry["subject"]) for entry in log] == actions
        assert log[1]["details"] == {"name": "other", "role": "reader", "models": ["a/*", "b"]}
        with closing(sqlite3.connect(folder / "server" / "state.sqlite")) as db:
            db.execute("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END")
            failed = httpx.post(f"{running.url}{API}/tokens", json={"name": "third"}, headers=client.headers)
            assert failed.status_code == 500  # after which the server closes the connection
            db.execute("DROP TRIGGER broken")
        assert "third" not in [each["name"] for each in client.get(f"{API}/tokens").json()["tokens"]]


def test_refusals_do_not_fill_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    tokens = {name: token(folder, name, role) for name, role in (("r", "reader"), ("boss", "admin"))}
    running = start(folder)
    with httpx.Client(base_url=f"{running.url}{API}", headers={"Authorization": f"Bearer {tokens['r']}"}) as client:
        for number in range(50):
            assert client.delete(f"/models/m{number}").status_code == 403
        for _ in range(10):
            assert client.post("/repair", json={}).status_code == 403
    running.stop()
    with serving(folder) as again:
        headers = {"Authorization": f"Bearer {tokens['boss']}"}
        log = httpx.get(f"{again.url}{API}/audit", params={"actor": "r"}, headers=headers).json()["entries"][::-1]
    assert [entry["subject"] for entry in log[:20]] == [f"m{number}" for number in range(20)]
    rest = [(entry["action"], entry["details"]) for entry in log[20:]]
    assert rest == [("remove_model.refused", {"times": 30}), ("repair.refused", {"times": 10})]


def test_a_job_is_its_owners_whomever_somebody_says_to_act_for(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    tokens = {name: token(folder, name, "reader") for name in ("bob", "bob (ann)")}
    with serving(folder) as running, httpx.Client(base_url=f"{running.url}{API}", timeout=30) as client:

        def ask(who: str, acting_for: str, method: str, path: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {tokens[who]}", "X-Model-Registry-Actor": acting_for}
            return client.request(method, path, headers=headers)

        job = ask("bob (ann)", "", "GET", "/validate").json()
        assert job["actor"] == "bob (ann)"
        assert "owner" not in job
        assert ask("bob", "ann", "DELETE", f"/jobs/{job['id']}").status_code == 403
        assert ask("bob (ann)", "eve", "DELETE", f"/jobs/{job['id']}").status_code == 200


def test_a_page_elsewhere_changes_nothing(folder: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "models") as running, httpx.Client(base_url=running.url) as client:
        form = {"name": "evil", "format": "opaque"}
        foreign = client.post(
            f"{API}/models/upload", data=form, files={"file": ("f", b"x")}, headers={"Origin": "http://evil.example"}
        )
        assert foreign.status_code == 403
        for path in ("/validate?deep=true", "/models"):
            far = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
            assert client.get(f"{API}{path}", headers=far).status_code == 403
        assert client.get(f"{API}/jobs").json()["jobs"] == []
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
