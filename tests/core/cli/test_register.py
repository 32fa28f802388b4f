"""``register``: what is said on the command line is what the version says."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run

from model_registry import ModelRegistry


def test_every_option_becomes_a_field(weights: Path) -> None:
    done = run(
        "register", weights, "--name", "digits", "--version", "2.0", "--format", "bytes", "--type", "classification",
        "--description", "a text", "--author", "Ada", "--license", "MIT", "--tag", "one", "--tag", "two",
        "--metric", "accuracy=0.98", "--metric", "epochs=3", "--set", "training_epochs=10",
        "--set", 'note={"deep": [1]}',
        "--option", "tokenizer=words",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    entry = ModelRegistry("models").get_model_info("digits", "2.0")
    assert entry is not None
    metadata = entry.metadata
    assert (metadata.format, metadata.model_type) == ("bytes", "classification")
    assert (metadata.description, metadata.author, metadata.license) == ("a text", "Ada", "MIT")
    assert list(metadata.tags) == ["one", "two"]
    assert metadata.performance_metrics == {"accuracy": 0.98, "epochs": 3}
    assert metadata.training_epochs == 10
    assert metadata.extra["note"] == {"deep": [1]}
    assert [file.path for file in entry.files] == ["tokenizer.txt", "weights.bin"]


def test_says_what_was_registered(weights: Path) -> None:
    done = run("register", weights, "--name", "digits")
    entry = ModelRegistry("models").get_model_info("digits")
    assert entry is not None
    assert done.out == f"registered digits:1.0.0: bytes, 16 B in 1 file\nsha256:{entry.digest}\n"


def test_the_same_call_by_python_gives_the_same_digest(weights: Path) -> None:
    digest = run("register", weights, "--name", "m", "--metric", "a=0.5", "--tag", "t", "--json").document["digest"]
    entry = ModelRegistry("other").register_model("m", weights, performance_metrics={"a": 0.5}, tags=["t"])
    assert entry.digest == digest


def test_a_version_can_be_registered_again_only_with_exist_ok(weights: Path) -> None:
    again = ("register", weights, "--name", "m", "--version", "1.0.0")
    assert run(*again).code == 0
    refused = run(*again)
    assert (refused.code, refused.err) == (
        4,
        "error: m:1.0.0 is registered already\nhint: versions are immutable: register another version\n",
    )
    assert run(*again, "--exist-ok").code == 0
    assert run(*again, "--exist-ok", "--author", "another").code == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "accuracy"], "'accuracy' is not of the form NAME=NUMBER"),
        (["--metric", "=1"], "'=1' is not of the form NAME=NUMBER"),
        (["--metric", "accuracy=high"], "accuracy is 'high', which is not a number"),
        (["--set", "note=text"], """note is 'text', which is not JSON; a text needs quotes of its own"""),
        (["--set", "author=1", "--author", "Ada"], "'author' is given twice, the second time by --set"),
        (["--option", "parts=1", "--option", "parts=2"], "'parts' is given twice, the second time by --option"),
        (["--set", 'version="2"'], "--set version=… says what has an argument or option of its own"),
        (["--option", "exist_ok=true"], "--option exist_ok=… says what has an argument or option of its own"),
        (["--set", "training_epochs=-1"], "training_epochs is -1"),
        (["--metric", "accuracy=nan"], "is nan, which JSON cannot hold"),
        (["--name", "../x"], "would leave its folder"),
    ],
)
def test_a_mistake_in_a_value_is_told_and_nothing_is_registered(
    weights: Path, options: list[str], message: str
) -> None:
    done = run("register", weights, "--name", "m", *options)
    assert done.code == 2
    assert message in done.err
    assert run("list", "--json", "--registry", "models").out.count("reference") == 0


def test_a_file_that_nobody_knows_names_the_option_and_not_the_keyword() -> None:
    Path("strange.dat").write_bytes(b"\xff\xfe\xfd")
    done = run("register", "strange.dat", "--name", "m")
    assert done.code == 7
    assert "hint: say which it is with --format\n" in done.err


def test_a_format_that_nobody_handles_says_what_can_be_done_here(weights: Path) -> None:
    done = run("register", weights, "--name", "m", "--format", "bytse")
    hint = "hint: did you mean 'bytes'? If not, install the plugin that its authors name\n"
    assert (done.code, done.err.splitlines(keepends=True)[-1]) == (7, hint)


def test_a_missing_file_and_a_missing_name() -> None:
    assert run("register", "nowhere.bin", "--name", "m").code == 3
    assert "Missing option '--name'" in run("register", "nowhere.bin").err


def test_what_the_plugin_refuses_for_safety_exits_with_6() -> None:
    Path("rotten.bin").write_bytes(b"ROTTEN")
    done = run("register", "rotten.bin", "--name", "m", "--format", "bytes")
    assert done.code == 6
    assert "the bytes say that they are rotten" in done.err
    assert run("list", "--json").document["versions"] == []


def test_a_hint_with_a_value_can_be_typed_as_it_stands() -> None:
    Path("m.gguf").write_bytes(b"GGUF" + bytes(8))
    done = run("register", "m.gguf", "--name", "m")
    assert done.code == 7
    assert "'m.gguf' is GGUF; no installed plugin handles it" in done.err
    assert "and say --format 'gguf'\n" in done.err
