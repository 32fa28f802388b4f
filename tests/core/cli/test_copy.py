"""``copy``: versions of one registry in another, and the code of the first that failed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import ModelRegistry


def test_all_versions_are_copied_and_the_target_is_made(digits: Done) -> None:
    done = run("copy", "other")
    assert done.code == 0
    assert re.fullmatch(r"copied 2 versions, 0\.0 MB, in \d\.\d s\n", done.out)
    assert ModelRegistry("other").list_models() == ModelRegistry("models").list_models()
    assert run("copy", "other").out.endswith("; skipped 2\n")


def test_programs_get_a_document(digits: Done) -> None:
    run("copy", "other")
    run("register", "weights.bin", "--name", "digits")
    document = run("copy", "other", "--json").document
    assert [version["reference"] for version in document["copied"]] == ["digits:1.0.2"]
    assert document["skipped"] == ["digits:1.0.0", "digits:1.0.1"]
    assert (document["failed"], document["dry_run"]) == ([], False)
    assert document["bytes"] > 0


def test_a_dry_run_names_the_versions_and_changes_nothing(digits: Done) -> None:
    ModelRegistry("other")
    done = run("copy", "other", "--dry-run")
    assert done.out.splitlines()[:2] == ["digits:1.0.0", "digits:1.0.1"]
    assert done.out.splitlines()[2].startswith("would have copied 2 versions")
    assert ModelRegistry("other").list_models() == []


def test_a_dry_run_makes_no_registry(digits: Done) -> None:
    done = run("copy", "other", "--dry-run")
    assert (done.code, done.out.splitlines()[:2]) == (0, ["digits:1.0.0", "digits:1.0.1"])
    assert not Path("other").exists()


def test_failures_are_told_and_the_first_gives_the_code(digits: Done) -> None:
    ModelRegistry("other").register_model("digits", b"another", version="1.0.0")
    done = run("copy", "other")
    assert done.code == 4
    assert done.err.startswith("error: digits:1.0.0: digits:1.0.0 exists in the target with another digest\nhint: ")
    assert done.out.endswith("; 1 failed\n")
    assert ModelRegistry("other").resolve("digits", "1.0.1")

    done = run("copy", "other", "--json")
    assert done.code == 4
    (failure,) = done.document["failed"]
    assert (failure["what"], failure["type"]) == ("digits:1.0.0", "VersionExistsError")


def test_tags_go_along_and_aliases_if_asked(digits: Done) -> None:
    registry = ModelRegistry("models")
    registry.set_tag("digits", "stage", "prod", "1.0.0")
    registry.set_alias("digits", "champion", "1.0.0")
    run("copy", "bare", "--no-tags")
    run("copy", "tagged")
    run("copy", "all", "--aliases")
    assert [ModelRegistry(path).tags("digits", "1.0.0") for path in ("bare", "tagged", "all")] == [
        {},
        {"stage": "prod"},
        {"stage": "prod"},
    ]
    assert [ModelRegistry(path).aliases("digits") for path in ("tagged", "all")] == [{}, {"champion": "1.0.0"}]


@pytest.mark.skipif(not hasattr(ModelRegistry, "search"), reason="this core has no search")
def test_a_query_says_which(digits: Done) -> None:
    run("copy", "other", "metrics.accuracy > 0.96" + " and metrics.accuracy > 0.96" * 20)
    assert [entry.version for entry in ModelRegistry("other").list_models()] == ["1.0.1"]


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_nothing_is_copied_into_a_file(digits: Done, weights: Path, more: list[str]) -> None:
    done = run("copy", weights, *more)
    assert done.code == 3
    assert f"no registry at {weights.absolute()}: that is a file" in done.err


def test_a_source_that_is_not_there_is_told(digits: Done) -> None:
    assert run("-r", "nowhere", "copy", "other").code == 3
    assert not Path("other").exists()


@pytest.mark.parametrize("target", ["http://models:8000", "./other"])
def test_what_to_copy_comes_after_where_to(digits: Done, target: str) -> None:
    ModelRegistry("other")
    done = run("copy", "digits", target)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: '{target}' is where to copy to, which comes before what to copy\n"
        f"hint: «model-registry copy {target} QUERY», with a query such as: name = 'iris'\n"
    )
    assert not Path("digits").exists()
