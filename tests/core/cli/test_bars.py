"""The bar of long work: seen on a real terminal, and nowhere else."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from attrs import frozen
from command_line import child_environ, start

from model_registry import ModelRegistry
from model_registry.bars import Bar

SIZE = 60 * 1024 * 1024
#: Reading is as slow as from a disk far away, in processes in which this is installed.
SLOW = """
import os, time
readv = os.readv
def slow(*arguments):
    time.sleep(0.02)
    return readv(*arguments)
os.readv = slow
"""


@frozen
class Shown:
    """What a command left on stdout, which is a pipe, and wrote to stderr, which is a terminal."""

    code: int
    out: str
    raw: str

    @property
    def frames(self) -> list[str]:
        """What stood in the line, one after the other."""
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw)
        return [frame for frame in re.split(r"[\r\n]+", plain) if frame.strip()]


def on_a_terminal(site: Path, *arguments: str, columns: int = 120) -> Shown:
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {**child_environ(site), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "model_registry", *arguments], stdout=subprocess.PIPE, stderr=screen, env=environ
    )
    os.close(screen)
    raw = b""
    while True:
        try:
            raw += (some := os.read(keyboard, 65_536))
        except OSError:  # how Linux says that nobody writes any more
            break
        if not some:
            break
    os.close(keyboard)
    out, _ = process.communicate(timeout=60)
    return Shown(process.returncode, out.decode(), raw.decode())


@pytest.fixture
def large(bytes_plugin: str) -> ModelRegistry:
    """A registry of 60 MiB in three versions."""
    registry = ModelRegistry("models")
    for n in range(3):
        registry.register_model("m", bytes([n]) * (SIZE // 3))
    return registry


@pytest.fixture
def slow(large: ModelRegistry, site: Path) -> Path:
    (site / "sitecustomize.py").write_text(SLOW)
    return site


def test_a_long_validation_shows_bytes_and_their_rate_and_leaves_nothing_behind(slow: Path) -> None:
    shown = on_a_terminal(slow, "validate")
    assert (shown.code, shown.out) == (0, "3 of 3 versions valid\n")
    bar = re.compile(
        r"validating … ━\S+ +(\d+)% ./ 3  ([\d.]+) MB / 62\.9 MB  [\d.]+ MB/s  0:0\d left".replace("./", r"\d /")
    )
    seen = [match for frame in shown.frames if (match := bar.search(frame))]
    assert seen, shown.frames
    percents = [int(match[1]) for match in seen]
    assert percents == sorted(percents)
    assert any(0 < percent < 100 for percent in percents)
    assert shown.raw.endswith("\x1b[2K")  # the line is wiped


def test_a_narrow_terminal_gets_the_words_alone(slow: Path) -> None:
    frames = on_a_terminal(slow, "validate", columns=75).frames
    assert any(re.search(r"validating …  +\d+% . / 3  \S+ MB / 62\.9 MB  \S+ MB/s", frame) for frame in frames), frames
    assert all(len(frame) <= 75 for frame in frames)


def test_work_of_which_nothing_is_known_shows_that_it_goes_on(site: Path, weights: Path) -> None:
    plugin = site / "fake_bytes.py"
    sleepy = "def detect(self, model):\n        __import__('time').sleep(0.8)"
    plugin.write_text(plugin.read_text().replace("def detect(self, model):", sleepy))
    frames = on_a_terminal(site, "register", str(weights), "--name", "m").frames
    assert "registering m …" in {frame.strip()[2:] for frame in frames}


@pytest.mark.parametrize("options", [["--json"], ["--verbose"]])
def test_programs_and_logs_get_no_bar(slow: Path, options: list[str]) -> None:
    assert "━" not in on_a_terminal(slow, "validate", *options).raw


def test_a_pipe_gets_no_bar(slow: Path) -> None:
    done = start(slow, "validate")
    assert (done.code, done.out, done.err) == (0, "3 of 3 versions valid\n", "")


@pytest.mark.parametrize(("seconds", "shown"), [(0.1, False), (0.9, True)])
def test_only_what_takes_a_moment_is_shown(seconds: float, shown: bool, capfd: pytest.CaptureFixture[str]) -> None:
    import rich.live
    import rich.spinner  # noqa: F401  # no time goes into importing them

    with Bar("thinking …", force=True):
        time.sleep(seconds)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("thinking …" in err) is shown


def test_quick_work_does_not_flicker(large: ModelRegistry, site: Path) -> None:
    large.validate_registry()  # from now on the files are known
    assert on_a_terminal(site, "gc").raw == ""
