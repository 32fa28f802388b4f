"""The global options stand before or after the command, and mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run

from model_registry import ModelRegistry, __version__


@pytest.fixture
def elsewhere() -> str:
    ModelRegistry("elsewhere").register_model("m", b"x")
    return "elsewhere"


@pytest.mark.parametrize(
    "words",
    [
        ["--registry", "elsewhere", "--json", "list"],
        ["list", "-r", "elsewhere", "--json"],
        ["--json", "list", "--registry=elsewhere"],
        ["-r", "nowhere", "list", "--json", "-r", "elsewhere"],
        ["--config", "mine.toml", "list", "--json"],
        ["list", "--config", "mine.toml", "--json"],
    ],
    ids=" ".join,
)
def test_they_stand_where_you_like(elsewhere: str, words: list[str]) -> None:
    Path("mine.toml").write_text('[registry]\npath = "elsewhere"\n')
    assert [version["reference"] for version in run(*words).document["versions"]] == ["m:1.0.0"]


def test_the_environment_names_a_registry(elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_PATH", elsewhere)
    assert run("list").out.count("1.0.0") == 1


@pytest.mark.parametrize("words", [["config", "check", "--json"], ["config", "--json", "check"]])
def test_they_reach_commands_of_commands(words: list[str]) -> None:
    assert run(*words).document["mistakes"] == []


def test_an_empty_path_is_a_mistake_and_not_the_default() -> None:
    assert run("--registry", "", "list").code == 2


def test_verbose_shows_the_log(weights: Path) -> None:
    done = run("register", weights, "--name", "m", "-v")
    assert "info: registered m:1.0.0 (bytes, 16 bytes) as sha256:" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "other"], "hint: «model-registry --registry 'my models' list» shows all models\n"),
        (["list", "x*"], "nothing matches; «model-registry --registry 'my models' list» shows all models\n"),
        (["remove", "m"], "as in «model-registry --registry 'my models' remove m:1.0.0»\n"),
        (["remove", "m:1.0.0"], "brings it back: model-registry --registry 'my models' restore m:1.0.0\n"),
        (["export", "m", "x"], "as in «model-registry --registry 'my models' export m:latest PATH»\n"),
        (["alias", "list", "m"], "make one: model-registry --registry 'my models' alias set m ALIAS\n"),
    ],
)
def test_commands_that_are_advised_are_about_the_same_registry(words: list[str], said: str) -> None:
    ModelRegistry("my models").register_model("m", b"x")
    done = run("--registry", "my models", *words)
    assert said in done.out + done.err


def test_a_configuration_that_was_named_is_named_in_advice_too() -> None:
    ModelRegistry("elsewhere").register_model("m", b"x")
    Path("mine.toml").write_text('[registry]\npath = "elsewhere"\n')
    assert "hint: «model-registry --config mine.toml list» shows" in run("--config", "mine.toml", "show", "x").err


def test_help_says_that_a_registry_may_be_an_address() -> None:
    assert "an address such as http://models:8000" in " ".join(run("--help").out.split())


def test_version() -> None:
    assert run("--version").out == f"model-registry {__version__}\n"


def test_no_command_shows_the_help() -> None:
    assert (run().code, run().out) == (0, run("--help").out)


def test_help_of_a_command_does_not_repeat_them() -> None:
    out = run("list", "--help").out
    assert "  --json" not in out
    assert "--registry, --config, --json, --verbose and --debug may stand here as well." in out
