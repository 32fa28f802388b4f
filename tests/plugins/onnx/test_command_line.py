"""Converting and exporting on the command line: the plan, the figures, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import onnx_zoo
import pytest
from real_models import MAGIKA


@pytest.fixture
def command(tmp_path):
    """Runs ``model-registry`` in a folder of its own; (exit code, stdout, stderr)."""

    def run(*words):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MODEL_REGISTRY_")}
        arguments = [sys.executable, "-m", "model_registry", "--registry", "models", *map(str, words)]
        done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_plan_changes_nothing(command, tmp_path) -> None:
    command("register", onnx_zoo.saved(tmp_path), "--name", "net")
    code, out, _ = command("convert", "net", "--to", "ort", "--plan")
    assert (code, out) == (0, "1. onnx → ort (compared by running both)\n")
    assert command("export", "net", "latest", "net.ort", "--plan")[:2] == (0, out)
    assert command("export", "net", "latest", "copy", "--plan")[1].startswith("net:1.0.0 is onnx already")
    assert not (tmp_path / "net.ort").exists()
    assert json.loads(command("convert", "net", "--to", "ort", "--plan", "--json")[1])["steps"] == [
        {"from": "onnx", "to": "ort", "lossless": False}
    ]
    assert len(json.loads(command("list", "--json")[1])["versions"]) == 1


def test_the_figures_are_told(command, tmp_path) -> None:
    command("register", onnx_zoo.saved(tmp_path), "--name", "net")
    code, out, err = command("convert", "net", "--to", "ort", "--name", "fast", "--as-version", "2.0")
    assert code == 0, err
    assert out.startswith("registered fast:2.0: ort, made of net:1.0.0\nprobabilities agrees: greatest difference 0")
    assert out.endswith("run 3 times: batch 2, batch 1, batch 3\n")
    code, out, _ = command("export", "net", "latest", "old.onnx", "--option", "opset=18", "--json")
    assert (code, json.loads(out)["parity"]["passed"]) == (0, True)
    assert "not compared: nobody wanted it" in command("convert", "net", "--to", "ort", "--no-check")[1]


@pytest.mark.skipif(not MAGIKA.is_file(), reason="magika is not installed")
def test_what_computes_something_else_has_a_code_of_its_own(command, tmp_path) -> None:
    command("register", MAGIKA, "--name", "magika")
    strict = ("convert", "magika", "--to", "ort", "--tolerance", "1e-12")
    code, _, err = command(*strict)
    assert code == 9
    assert "magika:1.0.0 as ort: the result computes something else: target_label does not agree" in err
    assert "hint: nothing was kept; --allow-mismatch keeps it with these figures, --no-check does not look" in err
    assert len(json.loads(command("list", "--json")[1])["versions"]) == 1
    code, out, _ = command(*strict, "--allow-mismatch")
    assert code == 0
    assert "target_label does NOT agree: greatest difference" in out


def test_what_is_impossible_says_what_is_possible(command, tmp_path) -> None:
    command("register", onnx_zoo.saved(tmp_path), "--name", "net")
    code, _, err = command("convert", "net", "--to", "pytorch")
    assert code == 7
    assert "no library that is still kept makes a PyTorch module of an ONNX graph" in err
    assert "hint: possible: onnx, ort\n" in err
    assert "knows no option 'opsett'" in command("convert", "net", "--to", "onnx", "--option", "opsett=18")[2]
