"""``export``: the files of a version, or another format."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Done, run

from model_registry import ModelRegistry


def test_the_files_come_out_as_they_went_in(digits: Done, weights: Path) -> None:
    done = run("export", "digits", "latest", "copy.bin")
    assert (done.code, done.out) == (0, "exported digits:1.0.1 to copy.bin\n")
    assert Path("copy.bin").read_bytes() == weights.read_bytes()


@pytest.mark.parametrize(
    "arguments", [["out.loud"], ["out.x", "--format", "loud"], ["out.loud", "--option", "marks=3"]]
)
def test_another_format(arguments: list[str]) -> None:
    ModelRegistry("models").register_model("m", b"abc")
    assert run("export", "m", "1.0.0", *arguments).code == 0
    assert Path(arguments[0]).read_bytes() == (b"ABC!!!" if "marks=3" in arguments else b"ABC!")


def test_nothing_is_overwritten_unless_asked(digits: Done) -> None:
    Path("copy.bin").write_text("mine")
    refused = run("export", "digits", "1.0.0", "copy.bin")
    assert (refused.code, refused.err) == (
        4,
        "error: 'copy.bin' exists\nhint: choose another path, or add --overwrite\n",
    )
    assert Path("copy.bin").read_text() == "mine"
    assert run("export", "digits", "1.0.0", "copy.bin", "--overwrite", "--json").document == {
        "name": "digits",
        "version": "1.0.0",
        "path": "copy.bin",
        "parity": {"checked": False, "reason": "the files are those that were registered"},
    }


def test_a_format_that_it_cannot_become(digits: Done) -> None:
    done = run("export", "digits", "1.0.0", "x", "--format", "onnx")
    assert done.code == 7
    assert "cannot be exported as 'onnx'" in done.err


@pytest.mark.parametrize("said", [["digits", "1.0.0"], ["digits:1.0.0"], ["digits:latest"], ["digits", "@best"]])
def test_the_version_is_said_in_either_way(digits: Done, said: list[str]) -> None:
    run("alias", "set", "digits", "best")
    assert run("export", *said, "copy.bin").code == 0
    assert Path("copy.bin").is_file()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["digits", "copy.bin"], "say a version, then a path, as in «model-registry export digits:latest PATH»"),
        (["digits", "1.0.0", "copy.bin", "more"], "'more' is one argument too many"),
        (["digits:1.0.0", "1.0.1", "copy.bin"], "the version is given twice: '1.0.0' and '1.0.1'"),
    ],
)
def test_a_version_must_be_said_once(digits: Done, said: list[str], message: str) -> None:
    done = run("export", *said)
    assert (done.code, done.err.splitlines()[0]) == (2, f"error: {message}")
    assert not Path("copy.bin").exists()
