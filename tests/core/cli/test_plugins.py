"""``plugins`` lists them all, and those that fail with the reason; and the commands that plugins add."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

import pytest
from command_line import run, start
from fake_plugins import Installer

import model_registry
from model_registry import ModelRegistry

GREETER = """
import click

from model_registry import hookimpl


@click.command("greet")
@click.pass_obj
def greet(session):
    "Say hello."
    session.say(f"hello from {session.open().settings.path}")


@click.command("list")
def another_list():
    raise AssertionError


class Plugin:
    @hookimpl
    def commands(self, group):
        group.add_command(greet)
        group.add_command(another_list)
"""
WARNER = r"""
import warnings
import click

from model_registry import hookimpl


@click.command("warn")
def warn():
    "Warn of something."
    warnings.warn("read by everybody,\non the way", RuntimeWarning)


class Plugin:
    @hookimpl
    def commands(self, group):
        group.add_command(warn)
"""
FAILING = "import a_module_that_is_not_there"
FAILING_LATE = """
from model_registry import hookimpl


class Plugin:
    @hookimpl
    def commands(self, group):
        raise RuntimeError("no commands today")
"""


def statuses() -> dict[str, str]:
    return {plugin["name"]: plugin["status"] for plugin in run("plugins", "--json").document["plugins"]}


def test_lists_every_plugin_without_a_registry(install: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    install("broken", FAILING)
    install("off", FAILING)
    monkeypatch.setenv("MODEL_REGISTRY_DISABLED_PLUGINS", "off")
    assert statuses().items() >= {"bytes": "ready", "broken": "failed", "off": "disabled"}.items()
    lines = {line.split()[0]: line for line in run("plugins").out.splitlines()[2:]}
    assert lines["bytes"].split() == ["bytes", "fake-bytes", "1.0", "ready", "bytes,", "loud,", "script"]
    assert "No module named 'a_module_that_is_not_there'" in lines["broken"]


def test_two_owners_of_a_format_are_an_error(install: Installer) -> None:
    source = 'class Plugin:\n    def formats(self):\n        return [FormatSpec("bytes", "again")]\n'
    head = "from model_registry import FormatSpec, hookimpl\n"
    install("again", head + source.replace("    def", "    @hookimpl\n    def"))
    done = run("plugins")
    assert done.code == 7
    assert "claim the format 'bytes'" in done.err


def test_a_plugin_adds_commands(install: Installer) -> None:
    install("greeter", GREETER)
    ModelRegistry("models")
    done = run("--registry", "models", "greet")
    assert (done.code, done.out) == (0, "hello from models\n")
    assert re.search(r"^  greet +Say hello\.$", run("--help").out, re.MULTILINE)


def test_a_plugin_takes_no_command_from_the_core(install: Installer) -> None:
    install("greeter", GREETER)
    ModelRegistry("models")
    assert run("list").code == 0
    assert "a plugin's command 'list' is left out" in run("--help").err


@pytest.mark.parametrize(
    ("source", "told"), [(FAILING, "plugin broken (fake-broken) failed"), (FAILING_LATE, "no commands today")]
)
def test_help_survives_a_failing_plugin(install: Installer, source: str, told: str) -> None:
    install("broken", source)
    done = run("--help")
    assert done.code == 0
    assert "load-check" in done.out
    assert told in done.err


def test_help_survives_a_broken_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_CONFIG", "nowhere.toml")
    done = run("--help")
    assert done.code == 0
    assert "register" in done.out
    assert "there is no file 'nowhere.toml'" in done.err


def test_an_unknown_command_names_the_nearest_and_the_plugins_that_failed(install: Installer) -> None:
    install("broken", FAILING)
    done = run("lisst")
    assert done.code == 2
    assert "error: there is no command 'lisst'; did you mean 'list'?\n" in done.err
    assert "plugin broken (fake-broken) failed" in done.err


@pytest.fixture
def core_alone(tmp_path: Path) -> Path:
    """A site in which all is installed but the packages of this project that are not the core."""
    folder = tmp_path / "core-alone"
    folder.mkdir()
    here = [*Path(sysconfig.get_path("purelib")).iterdir(), Path(model_registry.__file__).parent]
    for path in here:
        if not path.name.startswith("model_registry_") or path.name.startswith("model_registry_core"):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize("command", ["serve", "token"])
def test_a_command_of_a_package_that_is_not_installed_names_it(core_alone: Path, command: str) -> None:
    done = start(core_alone, command, "--port", "1", python=("-S",), environ={"MODEL_REGISTRY_DISABLED_PLUGINS": ""})
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: the command {command!r} is of model-registry-server, which is not installed\n"
        "hint: pip install model-registry-server\n"
    )


def test_a_command_of_a_plugin_that_is_disabled_or_fails_says_so(core_alone: Path, install: Installer) -> None:
    install("served", FAILING, distribution="model-registry-server")
    for path in install.site.iterdir():
        (core_alone / path.name).symlink_to(path)
    done = start(core_alone, "serve", python=("-S",), environ={"MODEL_REGISTRY_DISABLED_PLUGINS": "served"})
    assert done.code == 2
    assert done.err == (
        "error: the command 'serve' is of the plugin served, which is disabled\n"
        "hint: see «model-registry config show --origin»\n"
    )
    done = start(core_alone, "serve", python=("-S",), environ={"MODEL_REGISTRY_DISABLED_PLUGINS": ""})
    assert "No module named 'a_module_that_is_not_there'" in done.err
    assert done.err.endswith(
        "error: the command 'serve' is of the plugin served, which could not add it\n"
        "hint: see «model-registry plugins»\n"
    )


@pytest.mark.parametrize("words", [("greet",), ("gret",), ("greet", "--json")])
def test_where_the_configuration_is_wrong_a_command_that_a_plugin_may_add_is_not_said_to_be_missing(
    install: Installer, words: tuple[str, ...]
) -> None:
    install("greeter", GREETER)
    Path("my.toml").write_text("[registry]\npatth = 1\n[plugins]\norder = 2\n")
    done = run("--config", "my.toml", *words)
    assert done.code == 2
    assert done.err == (
        "error: 2 mistakes in the configuration:\n"
        "  my.toml:2: registry.patth: unknown key; did you mean 'path'?\n"
        "  my.toml:4: plugins.order: expected a list of names, found 2\n"
        "hint: check it with «model-registry --config my.toml config check»\n"
    )


def test_completion_survives_a_broken_configuration_and_an_unknown_command(site: Path) -> None:
    for words in ("model-registry --config nowhere.toml greet ", "model-registry greet "):
        position = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = start(site, environ={"_MODEL_REGISTRY_COMPLETE": "bash_complete", **position})
        assert done.code == 0
        assert "Traceback" not in done.err


def test_a_warning_is_one_line(install: Installer) -> None:
    install("warner", WARNER)
    done = start(install.site, "warn")
    assert (done.code, done.err) == (0, "warning: read by everybody, on the way\n")
    assert "(RuntimeWarning at " in start(install.site, "--debug", "warn").err
