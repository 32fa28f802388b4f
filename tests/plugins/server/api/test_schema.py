"""The OpenAPI document: complete, with examples, and true of what the server answers to whatever is sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Running, token

from model_registry import ModelRegistry
from model_registry_server.app import routes_of
from model_registry_server.paths import OPERATIONS

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
)


@pytest.fixture(scope="module")
def document(server: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/openapi.json").json()
    return found


def test_every_route_is_in_the_document(document: dict[str, Any]) -> None:
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    routes = {
        (method, route.path) for route in routes_of() if route.include_in_schema for method in route.methods or ()
    }
    assert len(told) == len(routes)


def test_everything_is_described(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"].endswith("."), (path, method)
            for parameter in operation.get("parameters", []):
                plain = parameter["in"] == "path" or parameter["name"] == "limit"
                assert plain or parameter.get("description"), (path, method, parameter["name"])


def with_examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All that must have an example: parameters, bodies, answers and refusals, with where they are."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method.upper()} {path}"
            for parameter in operation.get("parameters", []):
                yield f"{where} {parameter['name']}", parameter
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{where} {kind}", content
            for status, response in operation["responses"].items():
                known = document["components"]["responses"]
                found = known[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
                assert found.get("content") or status == "304", (where, status)
                for kind, content in found.get("content", {}).items():
                    yield f"{where} {status} {kind}", content


def test_everything_has_an_example_that_is_one(document: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema_rs")
    count = 0
    for where, told in with_examples(document):
        assert "example" in told, where
        schema = {**told["schema"], "components": document["components"]}
        mistakes = [str(error) for error in jsonschema.validator_for(schema).iter_errors(told["example"])]
        assert not mistakes, (where, mistakes)
        count += 1
    assert count > 900


def test_a_refusal_is_told_as_it_is_answered(document: dict[str, Any], server: Running) -> None:
    told = {
        status: response["content"]["application/problem+json"]["example"]
        for status, response in document["components"]["responses"].items()
    }
    answered = httpx.get(f"{server.url}/model-registry/models/digit", headers={"Authorization": "Bearer none"})
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.json().keys() == told["401"].keys()
    same = ("type", "title", "status", "error")
    assert {key: answered.json()[key] for key in same} == {key: told["401"][key] for key in same}
    assert {status: example["title"] for status, example in told.items()} == {
        status: HTTPStatus(int(status)).phrase for status in told
    }


def test_every_word_after_a_name_is_known_to_be_none_of_it() -> None:
    paths = [route.path for route in routes_of() if "/{name:model}/" in route.path]
    assert {path.split("/{name:model}/")[1].split("/")[0] for path in paths} == set(OPERATIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some models, so that not every answer is that there is none."""
    folder = tmp_path_factory.mktemp("schema") / "models"
    registry = ModelRegistry(folder)
    (folder.parent / "f").write_bytes(b"x")
    for name in ("digits", "digits", "team-a/m"):
        registry.register_model(name, folder.parent / "f", "opaque", performance_metrics={"accuracy": 0.9})
    registry.set_alias("digits", "champion")
    return folder


def test_whatever_is_sent_is_answered_as_the_document_says(folder: Path, server: Running) -> None:
    pytest.importorskip("schemathesis")
    text = token(folder, "tester", "admin")
    words = [f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {text}", "--seed", "1"]
    words += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "15", "--checks", ",".join(CHECKS)]
    words += ["--exclude-path-regex", ".*/events$", "--request-timeout", "20", "--warnings", "off"]  # which never end
    words += ["--continue-on-failure", "--no-color"]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", *words],
        capture_output=True,
        text=True,
        cwd=folder.parent,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert not [line for line in server.log if "Traceback" in line]


def reference() -> str:
    pages = [path / "docs" / "reference" / "rest-api.md" for path in Path(__file__).parents]
    (page,) = (page for page in pages if page.is_file())
    return page.read_text(encoding="utf-8")


def test_the_reference_has_every_route_with_its_role_and_what_it_does() -> None:
    told = set(re.findall(r"^\| `(\w+) (\S+)` \| (\w+).*? \| (.+) \|$", reference(), re.MULTILINE))
    routes = {
        (
            method,
            re.sub(r":(model|part|whole)}", "}", route.path),
            str(route.permission.role or "anybody"),
            str(route.endpoint.__doc__).partition("\n")[0],
        )
        for route in routes_of()
        if route.include_in_schema
        for method in route.methods or ()
    }
    assert told == routes


def test_the_reference_shows_every_body_with_all_its_fields(document: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema_rs")
    rows = re.findall(r"^\| `(\w+ \S+)` \| `(\{.*\})` \| (.*)\|$", reference(), re.MULTILINE)
    shown = {route: (json.loads(body), set(re.findall(r"`(\w+)`", needed))) for route, body, needed in rows}
    bodies = {
        f"{method.upper()} {path.removeprefix('/model-registry')}": operation["requestBody"]["content"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert shown.keys() == bodies.keys()
    schemas = document["components"]["schemas"]
    for route, (example, needed) in shown.items():
        schema = bodies[route]["application/json"]["schema"]
        schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        assert (route, set(example), needed) == (route, set(schema["properties"]), set(schema.get("required", ())))
        whole = json.loads(json.dumps(example).replace("9f86\\u2026", "9f86" * 16).replace("8f14\\u2026", "8f14" * 8))
        jsonschema.validator_for({**schema, "components": document["components"]}).validate(whole)
