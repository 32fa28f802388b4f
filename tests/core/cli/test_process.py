"""The command line as a process: what it imports, and how it ends when its surroundings fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Done, child_environ, run, start

from model_registry import ModelRegistry

#: What a listing needs none of. Each was once seen to be imported by accident, or costs much.
UNNEEDED = {
    "cattrs", "concurrent.futures", "difflib", "fake_bytes", "importlib_metadata", "importlib.metadata", "packaging",
    "rich", "tomli", "model_registry.archive", "model_registry.blobs", "model_registry.plugins",
    "model_registry.records.archive",
}  # fmt: skip


def imported(site: Path, *arguments: str) -> set[str]:
    err = start(site, *arguments, python=("-X", "importtime")).err
    return {line.rpartition("|")[2].strip() for line in err.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("words", [["list"], ["list", "--json"]])
def test_listing_an_empty_registry_imports_only_what_it_needs(site: Path, words: list[str]) -> None:
    ModelRegistry("models")
    modules = imported(site, *words)
    assert "model_registry.catalog.sqlite" in modules
    assert modules & UNNEEDED == set()


def test_programs_do_not_wait_for_rich(digits: Done, site: Path) -> None:
    for words in (["list", "--json"], ["show", "digits", "--json"], ["validate", "--json"]):
        assert "rich" not in imported(site, *words)
    assert "rich" in imported(site, "list")


@pytest.mark.parametrize(
    ("words", "code"), [(["list"], 0), (["show", "other"], 3), (["lst"], 2), (["remove", "digits"], 2)]
)
def test_codes_reach_the_shell(digits: Done, site: Path, words: list[str], code: int) -> None:
    done = start(site, *words)
    assert done.code == code
    assert done.err.startswith("error: ") is (code != 0)


def test_no_colours_reach_a_file(digits: Done, site: Path) -> None:
    done = start(site, "show", "digits", environ={"NO_COLOR": ""})
    assert "\x1b" not in done.out
    assert "\x1b" not in start(site, "show", "other", environ={"NO_COLOR": ""}).err


def test_an_ascii_terminal_shows_what_it_can(site: Path) -> None:
    ModelRegistry("models").register_model("m", b"x", description="手写数字 café")
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = start(site, "list", environ=ascii_only)
    assert done.code == 0
    assert done.out.isascii()
    assert "???? caf?" in done.out
    document = json.loads(start(site, "show", "m", "--json", environ=ascii_only).out)
    assert document["metadata"]["description"] == "手写数字 café"
    assert start(site, "show", "é", environ=ascii_only).code == 2


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["show", "digits"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(digits: Done, site: Path, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "model_registry", *words],
            env=child_environ(site),
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_below_the_output_is_an_error(digits: Done, site: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "model_registry", "list"],
            env=child_environ(site),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (8, b"error: No space left on device\n")


def test_an_interrupt_ends_with_130(site: Path) -> None:
    fifo = Path("weights.bin")
    sleeping = (
        "import time\nfrom model_registry import hookimpl\nclass Plugin:\n    @hookimpl\n    def formats(self):\n"
    )
    (site / "fake_bytes.py").write_text(f"{sleeping}        print('waiting', flush=True)\n        time.sleep(60)\n")
    fifo.write_bytes(b"BYTES")
    process = subprocess.Popen(
        [sys.executable, "-m", "model_registry", "register", str(fifo), "--name", "m"],
        env=child_environ(site),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell lets what it starts in the background ignore interrupts, and so its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"error: interrupted\n")
    assert run("list", "--json").document["versions"] == []


def test_nothing_is_read_from_stdin(digits: Done, site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model_registry", "remove", "digits"],
        env=child_environ(site),
        input=b"y\ny\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(run("list", "--json").document["versions"]) == 2
