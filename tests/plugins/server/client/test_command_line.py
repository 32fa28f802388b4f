"""The command line, of which the registry is a server's."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Done, run, start
from running import Running, serving, token

from model_registry import ConfigurationError, ModelRegistry
from model_registry_server.client import Client


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[tuple[Running, Path]]:
    """A server that demands tokens, and forgets at once what is removed."""
    folder = tmp_path_factory.mktemp("closed") / "models"
    options = 'auth = "required"\n[registry]\nbackup_enabled = false'
    with serving(folder, options=options, environ=environ) as running:
        yield running, folder


def test_what_was_removed_can_be_restored_by_the_command_that_is_told(server: Running, client: Client) -> None:
    client.register_model("back", b"x")
    client.register_model("back", b"y")
    done = run("--registry", server.url, "remove", "back:1.0.1")
    way_back = f"model-registry --registry {server.url} restore back:1.0.1"
    assert done.out == f"removed back:1.0.1\nthis brings it back: {way_back}\n"
    assert run(*way_back.split()[1:]).out == "restored back:1.0.1\n"
    assert client.resolve("back").version == "1.0.1"
    assert run("remove", "back", "--yes", "--json", "--registry", server.url).document["restorable"] is True


def test_what_a_server_forgets_is_gone_for_good(closed, monkeypatch: pytest.MonkeyPatch) -> None:
    running, folder = closed
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", token(folder, "remover", "writer"))
    with_backups = ModelRegistry(running.url)  # so it is in this process, but not there
    for number in range(2):
        with_backups.register_model("gone", b"%d" % number)
    done = run("--registry", running.url, "remove", "gone:1.0.0")
    assert done.out == "removed gone:1.0.0\nit is gone for good, since backup_enabled is false\n"
    document = run("--registry", running.url, "remove", "--where", "name = 'gone'", "--yes", "--json").document
    assert document["restorable"] is False


def failed(running: Running, *words: str) -> Done:
    done = run("--registry", running.url, *words)
    assert done.out == ""
    return done


def test_whoever_may_not_is_refused_and_told_how_to_give_a_token(closed, monkeypatch: pytest.MonkeyPatch) -> None:
    running, folder = closed
    done = failed(running, "list")
    assert (done.code, done.err.splitlines()[0]) == (6, "error: a token is needed")
    assert "hint: set MODEL_REGISTRY_TOKEN in the environment" in done.err
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", "mr_00000000_nothing")
    done = failed(running, "list")
    assert (done.code, done.err.splitlines()[0]) == (6, "error: the token is not valid")
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", token(folder, "looker", "reader"))
    done = failed(running, "gc")
    assert (done.code, done.err.splitlines()[0]) == (6, "error: looker is a reader; this takes an admin")


def test_a_token_that_can_be_none_is_to_be_got_where_tokens_are_made(
    server: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", "mañana")
    done = failed(server, "list")
    [advised] = re.findall("«model-registry (.*)»", done.err)
    ModelRegistry(tmp_path / "made")
    assert run(*advised.replace("FOLDER", str(tmp_path / "made")).split()).code == 0


def test_an_empty_list_names_the_address(closed, monkeypatch: pytest.MonkeyPatch) -> None:
    running, folder = closed
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", token(folder, "limited", "reader", "nothing/*"))
    advice = f"model-registry --registry {running.url} register PATH --name NAME"
    done = run("--registry", running.url, "list")
    assert done.out == f"no models at {running.url} for you to see; add one: {advice}\n"


def test_the_first_token_that_is_no_admins_leaves_nobody_to_administer(tmp_path: Path) -> None:
    ModelRegistry(tmp_path / "fresh")
    words = ["--registry", tmp_path / "fresh", "token", "create", "ci", "--role"]
    advice = f"model-registry --registry {tmp_path / 'fresh'} token create NAME --role admin"
    assert f"warning: nobody can administer the server over HTTP yet: {advice}\n" in run(*words, "writer").err
    for role in ("writer", "admin"):
        assert "warning" not in run(*words[:-2], f"another-{role}", "--role", role).err


def test_the_first_token_that_is_an_admins_needs_no_warning(tmp_path: Path) -> None:
    ModelRegistry(tmp_path / "fresh")
    assert "warning" not in run("--registry", tmp_path / "fresh", "token", "create", "--role", "admin").err


def test_what_cannot_be_rebuilt_is_named_wherever_that_was_said(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_PATH", server.url)
    done = run("rebuild")
    assert done.code == 8
    assert done.err.startswith(f"error: {server.url} is a server, whose catalog cannot be rebuilt from here\n")


def test_a_token_is_not_sent_to_whom_a_file_names_that_nobody_named(
    closed, environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, folder = closed
    found = Path("registry.toml")
    found.write_text(f'[registry]\npath = "{running.url}"\n')
    site = Path(environ["PYTHONPATH"])
    assert "error: a token is needed" in start(site, "list").err  # it was asked, by nobody
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", token(folder, "finder", "reader", "nothing/*"))
    done = start(site, "list")
    assert (done.code, done.out) == (2, "")
    said = f"error: the token is not sent to {running.url}, which only registry.toml:2 in the current folder names\n"
    advice = "name the file by --config or MODEL_REGISTRY_CONFIG, or the address by --registry"
    assert done.err == f"{said}hint: if the token is for that server, {advice}\n"
    for words in (["--config", found, "list"], ["--registry", running.url, "list"]):
        assert start(site, *words).out.startswith(f"no models at {running.url} for you to see")
    for variable, value in (("CONFIG", str(found)), ("PATH", running.url)):
        chosen = start(site, "list", environ={f"MODEL_REGISTRY_{variable}": value})
        assert chosen.out.startswith(f"no models at {running.url} for you to see")


def test_a_token_is_for_the_address_that_is_given_with_it(closed, monkeypatch: pytest.MonkeyPatch) -> None:
    running, folder = closed
    Path("registry.toml").write_text(f'registry.path = "{running.url}"\n')
    mine = token(folder, "caller", "reader")
    with pytest.raises(ConfigurationError, match=r"which only registry\.toml:1 in the current"):
        ModelRegistry(token=mine)
    assert ModelRegistry(running.url, token=mine).list_models() is not None
    assert ModelRegistry(config="registry.toml", token=mine).list_models() is not None
    nobody = pickle.dumps(ModelRegistry())
    monkeypatch.setenv("MODEL_REGISTRY_TOKEN", mine)
    with pytest.raises(ConfigurationError, match=r"which only registry\.toml:1"):
        pickle.loads(nobody)
