"""What a page offers to copy does what it says: each snippet is taken from the page of a real server and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path

import httpx
import pytest
from grid_plugin import grid
from running import Running, serving, token

from model_registry import ModelRegistry

VARIABLE = "MODEL_REGISTRY_TOKEN"
VERSION = "1.0.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("snippets") / "models"
    file = folder.parent / "m.grid"
    file.write_bytes(grid())
    ModelRegistry(folder).register_model("team/it-runs", file, version=VERSION)
    return folder


@pytest.fixture(scope="module", params=["open", "with tokens"])
def secret(request: pytest.FixtureRequest, folder: Path) -> str | None:
    """The token that the server asks for, if it asks for one."""
    return None if request.param == "open" else token(folder, "reader", "reader")


@pytest.fixture(scope="module")
def served(folder: Path, secret: str | None, environ: dict[str, str]) -> Iterator[Running]:
    with serving(folder, environ=environ) as running:
        yield running


@pytest.fixture(scope="module")
def snippets(served: Running, secret: str | None) -> Mapping[str, str]:
    """Those on the page of the version, by what stands above them."""
    with httpx.Client(base_url=served.url, timeout=60) as browser:
        if secret is not None:
            browser.post("/ui/login", data={"token": secret})
        page = browser.get(f"/ui/models/team%2Fit-runs/versions/{VERSION}").text
    found = re.findall(r'<h3>(\w+)</h3>\s*<div class="code"><pre[^>]*><code>(.*?)</code></pre>', page, re.DOTALL)
    return {label: unescape(snippet) for label, snippet in found}


@pytest.fixture
def variables(environ: dict[str, str], secret: str | None, tmp_path: Path) -> dict[str, str]:
    """What the shell of somebody who copies them has: programs, a cache, and the token where one is needed."""
    known = {key: value for key, value in os.environ.items() if key != VARIABLE}
    path = f"{Path(sys.executable).parent}:{known['PATH']}"
    said = {} if secret is None else {VARIABLE: secret}
    return {**known, **environ, "PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache"), **said}


def run(command: list[str], variables: dict[str, str], place: Path) -> str:
    done = subprocess.run(command, env=variables, cwd=place, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_way_has_a_snippet_and_only_where_tokens_are_needed_one_says_so(
    snippets: Mapping[str, str], secret: str | None
) -> None:
    assert list(snippets) == ["Python", "CLI", "curl"]
    assert ("Bearer" in snippets["curl"]) == (secret is not None)


def test_the_lines_of_python_load_the_model(
    snippets: Mapping[str, str], variables: dict[str, str], tmp_path: Path
) -> None:
    code = f"{snippets['Python']}\nimport sys; sys.stdout.write(model.decode())"
    assert run([sys.executable, "-W", "error", "-c", code], variables, tmp_path) == grid().decode()


def test_the_command_writes_the_files(snippets: Mapping[str, str], variables: dict[str, str], tmp_path: Path) -> None:
    run(["sh", "-c", snippets["CLI"]], variables, tmp_path)
    written = tmp_path / f"it-runs-{VERSION}"
    file = written / "model.grid" if written.is_dir() else written
    assert file.read_bytes() == grid()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_downloads_the_file_under_its_name(
    snippets: Mapping[str, str], variables: dict[str, str], tmp_path: Path
) -> None:
    run(["sh", "-c", snippets["curl"]], variables, tmp_path)
    (found,) = (path for path in tmp_path.iterdir() if path.is_file())
    assert found.read_bytes() == grid()
    assert found.suffix == ".grid"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_without_the_token_fails_where_one_is_needed_and_keeps_no_answer_as_a_model(
    snippets: Mapping[str, str], secret: str | None, variables: dict[str, str], tmp_path: Path
) -> None:
    without = {key: value for key, value in variables.items() if key != VARIABLE}
    done = subprocess.run(["sh", "-c", snippets["curl"]], env=without, cwd=tmp_path, capture_output=True, text=True)
    kept = [path for path in tmp_path.iterdir() if path.is_file()]
    assert (done.returncode, len(kept)) == ((0, 1) if secret is None else (22, 0))
    assert ("401" in done.stderr) == (secret is not None)


def test_what_is_never_opened_is_exported(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = tmp_path / "models"
    (tmp_path / "w.bin").write_bytes(b"only kept")
    ModelRegistry(folder).register_model("kept", tmp_path / "w.bin", "opaque", version=VERSION)
    with serving(folder, environ=environ) as running:
        page = unescape(httpx.get(f"{running.url}/ui/models/kept/versions/{VERSION}").text)
        assert "load_model" not in page
        line = re.findall(r"registry\.export_model\([^)]*\)", page)[0]
        code = f'from model_registry import ModelRegistry; registry = ModelRegistry("{running.url}"); print({line})'
        variables = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=variables, timeout=60)
    assert (tmp_path / "kept-1.0.0" / "w.bin").read_bytes() == b"only kept"
