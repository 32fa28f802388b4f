"""Aliases, tags, descriptions, lineage, history and statistics on the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import Done, run, start

pytestmark = pytest.mark.usefixtures("digits")  # digits:1.0.0 and digits:1.0.1


def shown(done: Done) -> str:
    assert done.code == 0, done.err
    return done.out


class TestAlias:
    def test_moves_and_goes_back(self) -> None:
        assert shown(run("alias", "set", "digits", "champion", "1.0.0")) == "@champion names digits:1.0.0\n"
        assert shown(run("alias", "set", "digits", "@champion")) == "@champion names digits:1.0.1\n"
        assert run("show", "digits@champion", "--json").document["version"] == "1.0.1"
        assert shown(run("alias", "rollback", "digits", "champion")) == "@champion names digits:1.0.0 again\n"
        assert shown(run("alias", "undo", "digits", "champion")) == "@champion names digits:1.0.1 again\n"
        run("alias", "undo", "digits", "champion")
        assert shown(run("alias", "undo", "digits", "champion")) == "@champion of digits names nothing, as before\n"

    def test_is_listed_and_deleted(self) -> None:
        run("alias", "set", "digits:1.0.0", "champion")
        assert run("alias", "list", "digits", "--json").document == {"aliases": {"champion": "1.0.0"}}
        assert "@champion" in shown(run("alias", "list", "digits"))
        assert shown(run("alias", "delete", "digits", "champion")).startswith("@champion of digits is deleted")
        gone = run("alias", "delete", "digits", "champion")
        assert (gone.code, gone.err.splitlines()[0]) == (3, "error: digits has no alias @champion")
        assert shown(run("alias", "list", "digits")).startswith("digits has no aliases; make one")

    def test_with_nothing_before_says_so(self) -> None:
        run("alias", "set", "digits", "champion")
        done = run("alias", "rollback", "digits", "champion")
        assert done.code == 3
        assert "hint: «model-registry history digits --alias champion» tells what it named" in done.err


@pytest.mark.parametrize("reference", ["digits", "digits:1.0.0"])
def test_tags_are_set_and_taken_away(reference: str) -> None:
    assert run("tag", reference, "stage=prod", "a b=c=d", "--json").document == {
        "tags": {"a b": "c=d", "stage": "prod"}
    }
    assert shown(run("tag", reference, "--delete", "stage", "--delete", "a b")) == "no tags\n"
    assert f"warning: {reference} has no tag 'stage'" in run("tag", reference, "--delete", "stage").err
    assert run("tag", reference, "stage").code == 2


def test_descriptions_are_edited_and_reset() -> None:
    assert shown(run("describe", "digits:1.0.0")) == "handwritten digits\n"
    assert shown(run("describe", "digits:1.0.0", "better")) == "better\n"
    assert run("search", "description = 'better'", "--json").document["versions"][0]["version"] == "1.0.0"
    assert shown(run("describe", "digits:1.0.0", "--reset")) == "handwritten digits\n"
    assert shown(run("describe", "digits")) == "no description\n"
    assert run("describe", "digits", "x", "--reset").code == 2


def test_lineage_is_linked_and_drawn() -> None:
    assert shown(run("link", "digits:1.0.1", "digits:1.0.0")) == "digits:1.0.1 comes from digits:1.0.0 (derived)\n"
    shown(run("link", "digits:1.0.0", "mnist:1", "--relation", "dataset"))
    drawn = shown(run("lineage", "digits"))
    assert "Comes from" in drawn
    assert drawn.index("digits:1.0.0  derived") < drawn.index("└── mnist:1  dataset (not here)")
    assert "Became\n  digits:1.0.1  derived" in shown(run("lineage", "digits:1.0.0"))
    document = run("lineage", "digits", "--json").document
    assert document["parents"][0]["parents"][0]["name"] == "mnist"
    assert "Became\n  digits:1.0.1  derived" in shown(run("show", "digits:1.0.0"))
    (child,) = run("show", "digits:1.0.0", "--json").document["children"]
    assert (child["relation"], child["name"], child["version"]) == ("derived", "digits", "1.0.1")
    assert run("link", "digits:1.0.0", "digits:1.0.1").code == 2  # a circle
    assert shown(run("link", "digits:1.0.1", "digits:1.0.0", "--remove")) == "taken back\n"


def test_history_tells_what_was_done() -> None:
    run("alias", "set", "digits", "champion", "1.0.0")
    run("tag", "digits:1.0.0", "stage=prod")
    first = run("history", "digits", "--limit", 2, "--json").document
    assert [event["action"] for event in first["events"]] == ["tag-set", "alias-set"]
    assert first["more"]
    rest = run("history", "--before", first["events"][-1]["id"], "--json").document
    assert [event["action"] for event in rest["events"]] == ["registered", "registered"]
    assert "alias-set champion" in shown(run("history", "digits", "--alias", "champion"))
    assert run("history", "nobody").code == 3
    assert shown(run("history", "digits", "--alias", "nothing")) == "nothing was changed\n"


def test_statistics_count() -> None:
    page = shown(run("stats"))
    assert "saved by sharing" in page
    assert "bytes" in page
    assert run("stats", "--json").document["versions"] == 2


def test_the_configuration_is_shown_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("registry.toml").write_text("[registry]\nkeep_removed_days = 3\n", encoding="utf-8")
    monkeypatch.setenv("MODEL_REGISTRY_CACHE_SIZE", "12")
    plain, told = shown(run("config", "show")), shown(run("config", "show", "--origin"))
    assert "registry.toml:2" not in plain
    assert "registry.toml:2" in told
    assert "environment MODEL_REGISTRY_CACHE_SIZE" in told
    assert run("config", "show", "--json").document["settings"]["registry.keep_removed_days"] == 3
    Path("registry.toml").write_text("[registry]\nkeep = 3\n", encoding="utf-8")
    assert run("config", "show").code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str) -> None:
    script = shown(run("completion", shell))
    assert "_MODEL_REGISTRY_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_page_of_a_version_has_it_all(weights: Path) -> None:
    run("register", weights, "--name", "child", "--parent", "digits:1.0.0", "--parent", "dataset=mnist:1")
    run("alias", "set", "child", "champion")
    run("tag", "child:1.0.0", "stage=prod")
    run("describe", "child:1.0.0", "a child")
    page = [" ".join(line.split()) for line in shown(run("show", "child")).splitlines()]
    assert page[1] == "a child"
    for line in ("aliases @champion", "stage prod", "digits:1.0.0 derived", "mnist:1 dataset"):
        assert line in page
    document = run("show", "child", "--json").document
    assert (document["aliases"], document["tags"]) == (["champion"], {"stage": "prod"})
    assert [parent["name"] for parent in document["parents"]] == ["mnist", "digits"]


def test_a_parent_that_is_none_is_refused(weights: Path) -> None:
    assert run("register", weights, "--name", "child", "--parent", "nobody:1").code == 3
    assert run("register", weights, "--name", "child", "--parent", "UP=digits").code == 2


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("show di", ["digits"]),
        ("show x", []),
        ("show digits 1.0", ["1.0.0", "1.0.1"]),
        ("alias undo d", ["digits"]),
        ("alias undo digits cha", ["champion"]),
        ("alias undo digits @", ["@champion"]),
        ("link digits --relation d", ["derived", "dataset"]),
        ("list --format by", ["bytes"]),
        ("rem", ["remove"]),
    ],
)
def test_names_are_completed(site: Path, words: str, completed: list[str]) -> None:
    run("alias", "set", "digits", "champion")
    line = f"model-registry {words}"
    environ = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_MODEL_REGISTRY_COMPLETE": "bash_complete"}
    done = start(site, environ=environ)
    assert [choice.partition(",")[2] for choice in done.out.split()] == completed
