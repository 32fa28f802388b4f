"""``config check``: what applies and who said so, or every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run
from fake_plugins import Installer

PLUGIN = """
from attrs import frozen


@frozen
class Options:
    level: int = 3
    folders: tuple[str, ...] = ()


class Plugin:
    Options = Options

    def __init__(self, options):
        self.options = options
"""


@pytest.fixture(autouse=True)
def levels(install: Installer) -> None:
    install("levels", PLUGIN)


def settings(*arguments: object) -> dict[str, tuple[object, str]]:
    document = run(*arguments, "config", "check", "--json").document
    return {entry["key"]: (entry["value"], entry["origin"]) for entry in document["settings"]}


def test_every_key_comes_with_its_value_and_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_CACHE_SIZE", "5")
    Path("registry.toml").write_text("[registry]\nauto_validate = false\n[plugins.levels]\nlevel = 7\n")
    shown = settings("--registry", "here")
    assert shown["registry.path"] == ("here", "command line")
    assert shown["registry.auto_validate"] == (False, "registry.toml:2")
    assert shown["registry.cache_size"] == (5.0, "environment MODEL_REGISTRY_CACHE_SIZE")
    assert shown["registry.create"] == (True, "default")
    assert shown["plugins.levels.level"] == (7, "registry.toml:4")
    assert shown["plugins.levels.folders"] == ([], "default")
    assert not Path("here").exists()


def test_an_address_is_told_as_it_was_given() -> None:
    address = "http://127.0.0.1:8000"
    assert settings("--registry", address)["registry.path"] == (address, "command line")


def test_a_table_for_people() -> None:
    lines = [line.split() for line in run("config", "check").out.splitlines()]
    assert ["plugins.levels.level", "3", "default"] in lines
    assert ["registry.default_format", "null", "default"] in lines


def test_all_mistakes_at_once_in_the_core_s_part() -> None:
    Path("mine.toml").write_text('[registry]\ncach_size = 1\ncreate = "yes"\n')
    done = run("config", "check", "mine.toml")
    assert done.code == 2
    assert "mine.toml:2: registry.cach_size: unknown key; did you mean 'cache_size'?" in done.err
    assert "mine.toml:3: registry.create: expected true or false" in done.err
    assert "2 mistakes in the configuration" in done.err


def test_all_mistakes_at_once_of_all_plugins(install: Installer) -> None:
    install("others", PLUGIN)
    Path("mine.toml").write_text(
        '[plugins.levels]\nlevel = "high"\n[plugins.others]\nlevels = 1\n[plugins.othres]\n', encoding="utf-8"
    )
    done = run("--config", "mine.toml", "config", "check", "--json")
    assert done.code == 2
    assert {(mistake["line"], mistake["key"]) for mistake in done.document["mistakes"]} == {
        (2, "plugins.levels.level"),
        (4, "plugins.others.levels"),
        (5, "plugins.othres"),
    }


def test_mistakes_of_the_core_hide_none_of_a_plugin_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_REGISTRY_CREATE", "perhaps")
    Path("mine.toml").write_text('[plugins.levels]\nlevel = "high"\n[registry]\ncach_size = 1\n')
    done = run("config", "check", "mine.toml", "--json")
    assert done.code == 2
    assert [mistake["key"] for mistake in done.document["mistakes"]] == [
        "plugins.levels.level",
        "registry.cach_size",
        "MODEL_REGISTRY_CREATE",
    ]
    assert done.document["settings"] == []


@pytest.mark.parametrize(
    "text",
    [
        '[plugins]\ndisabled = "marked"\n',
        '[plugins]\ndisable = ["marked"]\n',
        '[plugin]\ndisabled = ["marked"]\n',
        '[registry]\ndisabled_plugins = ["marked"]\n',
        '[plugins]\ndisabled = ["marked"]\n[registry\n',
    ],
)
def test_no_plugin_is_imported_where_it_is_not_known_which_are_disabled(install: Installer, text: str) -> None:
    install("marked", "open('imported', 'x').close()\n" + PLUGIN)
    Path("mine.toml").write_text(text, encoding="utf-8")
    assert run("config", "check", "mine.toml").code == 2
    assert not Path("imported").exists()


def test_a_plugin_may_refuse_in_its_own_words(install: Installer) -> None:
    error = "ConfigurationError('no level fits', mistakes=())"
    install("strict", f"from model_registry import ConfigurationError\nraise {error}\n")
    done = run("config", "check")
    assert done.code == 2
    assert done.err == "error: configuration: no level fits\nerror: 1 mistake in the configuration\n"


def test_a_plugin_that_fails_is_told_and_no_mistake(install: Installer) -> None:
    install("broken", "raise RuntimeError('no')")
    done = run("config", "check")
    assert done.code == 0
    assert done.err == "warning: the options of plugin broken could not be checked: RuntimeError: no\n"


def test_a_file_that_is_missing() -> None:
    done = run("config", "check", "nowhere.toml")
    assert done.code == 2
    assert "there is no file 'nowhere.toml'" in done.err
