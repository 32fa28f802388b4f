"""How serving begins and ends at the command line: it leaves nothing behind where it cannot, and Ctrl-C is no error."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

#: The command line, also where whoever runs the tests in the background ignores the signal.
CODE = """
import signal
from model_registry.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", CODE, *words]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")


def test_where_the_port_is_taken_no_registry_is_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run("--registry", "new", "serve", "--port", port)
    assert (done.returncode, done.stdout) == (8, "")
    assert done.stderr == (
        f"error: cannot listen at 127.0.0.1:{port}: Address already in use\n"
        "hint: choose another with --host and --port\n"
    )
    assert not Path("new").exists()


def test_an_address_cannot_be_served_whoever_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run("--registry", f"http://me:secret@127.0.0.1:{port}", "serve", "--port", port)
    assert done.returncode == 2
    assert done.stderr == (
        "error: the registry is a server's, not a folder\nhint: run this where the folder is, with --registry FOLDER\n"
    )


@pytest.mark.parametrize("answers", [True, False])
def test_ctrl_c_ends_it_without_a_word(answers: bool) -> None:
    process = subprocess.Popen(
        command("serve", "--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().partition(" at ")[2].strip()
        if answers:
            httpx.get(f"{url}/model-registry/me", timeout=60).raise_for_status()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (0, "", "")
