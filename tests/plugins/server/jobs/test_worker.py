"""A worker as a program: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from job_helpers import SECONDS, is_running, until

from model_registry import ModelRegistry

Ask = Callable[..., list[dict[str, Any]]]

COMMAND = [sys.executable, "-m", "model_registry_server.jobs.worker", "--tasks=job_tasks"]


@pytest.fixture
def worker(folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "stderr").open("wb") as log:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        with subprocess.Popen(COMMAND, start_new_session=True, **pipes) as process:
            yield process
            process.kill()


@pytest.fixture
def ask(worker: subprocess.Popen[bytes], folder: Path) -> Ask:
    """``ask("task", argument=…)`` gives all that the worker answers, the result or the error last."""

    def ask(task: str, actor: str = "ada", **arguments: Any) -> list[dict[str, Any]]:
        send(worker, folder, task, actor, **arguments)
        assert worker.stdout is not None
        answers = [json.loads(worker.stdout.readline())]
        while not {"result", "error"} & answers[-1].keys():
            answers.append(json.loads(worker.stdout.readline()))
        return answers

    return ask


def send(worker: subprocess.Popen[bytes], folder: Path, task: str, actor: str = "ada", **arguments: Any) -> None:
    order = {"task": task, "arguments": arguments, "actor": actor, "registry": {"path": str(folder)}}
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(order).encode() + b"\n")
    worker.stdin.flush()


def test_a_task_of_the_registry_is_done_and_its_bytes_are_told(ask: Ask) -> None:
    *told, end = ask("validate", deep=True)
    assert (end["result"]["total_models"], end["result"]["valid_models"]) == (1, 1)
    last = [report for report in told if "progress" in report][-1]["progress"]
    assert last.keys() == {"what", "bytes_done", "bytes_total", "items_done", "items_total"}
    assert last["what"] == "validating"
    assert last["bytes_done"] == last["bytes_total"] >= 6000


def test_parts_are_told_in_order_before_the_end(ask: Ask) -> None:
    assert ask("parts", count=3) == [{"part": 0}, {"part": 1}, {"part": 2}, {"result": 3}]


def test_one_task_after_the_other_is_done_by_the_same_process_with_the_same_registry(ask: Ask, folder: Path) -> None:
    assert ask("pid") == ask("pid")
    assert ask("identity") == ask("identity")


def test_what_a_task_prints_is_no_answer(ask: Ask, tmp_path: Path) -> None:
    assert ask("noise") == [{"result": ""}]
    printed = (tmp_path / "stderr").read_text().splitlines()
    assert sorted(printed) == ["printed by Python", "printed by a child", "written to the descriptor"]


def test_a_change_is_recorded_as_that_of_the_actor(ask: Ask, registry: ModelRegistry) -> None:
    ask("describe", "grace", text="new")
    assert registry.history("m")[0].actor == "grace"
    (end,) = ask("describe", "", text="newer")
    assert end["error"]["type"] == "InvalidNameError"


def test_an_error_of_the_registry_keeps_its_name_its_hint_and_its_facts(ask: Ask, tmp_path: Path) -> None:
    (end,) = ask("restore_hot", name="n", version="1")
    assert end["error"]["type"] == "ModelNotFoundError"
    assert "n" in end["error"]["message"]
    assert end["error"]["facts"]["model"] == "n"
    assert (tmp_path / "stderr").read_text() == ""


def test_an_error_that_only_a_plugin_knows_gets_the_name_that_everybody_knows(ask: Ask) -> None:
    facts = {"path": "a/b", "size": 3, "ratio": 0.5, "none": None}
    error = {"type": "UnsafeModelError", "message": "a/b was refused", "hint": "do not", "facts": facts}
    assert ask("refuse") == [{"error": error}]


@pytest.mark.parametrize(("kind", "name"), [("value", "ValueError"), ("memory", "MemoryError"), ("exit", "SystemExit")])
def test_of_any_other_error_only_the_class_is_told(ask: Ask, tmp_path: Path, kind: str, name: str) -> None:
    (end,) = ask("raise", kind=kind)
    assert (end["error"]["type"], end["error"]["message"]) == ("PluginError", f"the work failed: {name}")
    assert "secret" not in str(end)
    assert f"{name}: a secret" in (tmp_path / "stderr").read_text()
    assert ask("echo", a=1) == [{"result": {"a": 1}}]  # it works on


def test_an_unknown_task_is_told_with_those_there_are(ask: Ask) -> None:
    (end,) = ask("dance")
    assert end["error"]["type"] == "InvalidOptionError"
    assert end["error"]["message"] == "there is no task 'dance'"
    assert "validate" in end["error"]["hint"]


@pytest.mark.parametrize(("kind", "name"), [("object", "TypeError"), ("nan", "ValueError")])
def test_a_result_that_json_cannot_say_is_a_failure(ask: Ask, kind: str, name: str) -> None:
    (end,) = ask("unspeakable", kind=kind)
    assert end["error"]["message"] == f"the work failed: {name}"


def test_a_result_that_is_too_long_is_a_failure(ask: Ask) -> None:
    (end,) = ask("long", length=2000, limit=1000)
    assert end["error"]["type"] == "PluginError"
    assert "takes 2,014 bytes, more than the 1,000" in end["error"]["message"]


def test_reports_come_ten_times_a_second_at_most_and_the_last_is_the_end(ask: Ask) -> None:
    *reports, end = ask("count", total=300, seconds=0.6)
    done = [report["progress"]["bytes_done"] for report in reports]
    assert 2 <= len(reports) <= end["result"] / 0.1 + 2
    assert done == sorted(done)
    assert done[-1] == 300


def test_nothing_heavy_is_imported_before_it_is_needed(ask: Ask) -> None:
    imported = {name.partition(".")[0] for name in ask("modules")[-1]["result"]}
    assert not imported & {"torch", "numpy", "onnx", "transformers", "fastapi", "starlette", "uvicorn", "click"}


def test_ctrl_c_does_not_end_it(ask: Ask) -> None:
    assert ask("interrupt") == [{"result": "still here"}]


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_it_ends_when_its_server_is_gone(
    worker: subprocess.Popen[bytes], folder: Path, tmp_path: Path, busy: bool
) -> None:
    begun = tmp_path / "begun"
    if busy:
        send(worker, folder, "hold", begun=str(begun), go=str(tmp_path / "never"))
        until(begun.exists)
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(SECONDS) == -signal.SIGKILL


def test_what_it_started_ends_with_it(worker: subprocess.Popen[bytes], folder: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    send(worker, folder, "family", begun=str(begun))
    until(begun.exists)
    family = [int(pid) for pid in begun.read_text().split()]
    assert all(map(is_running, family))
    assert worker.stdin is not None
    worker.stdin.close()
    until(lambda: not any(map(is_running, family)))


def test_started_by_hand_it_ends_nobody_else(folder: Path) -> None:
    script = "import subprocess, sys; print(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL).returncode)"
    ran = subprocess.run([sys.executable, "-c", script, *COMMAND], capture_output=True, timeout=SECONDS, text=True)
    assert (ran.returncode, ran.stdout) == (0, "0\n")


def test_a_module_of_tasks_that_cannot_be_imported_is_told(folder: Path) -> None:
    with subprocess.Popen([*COMMAND, "--tasks=missing_tasks"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        assert worker.stderr is not None
        assert "No module named 'missing_tasks'" in worker.stderr.read().decode()
        assert worker.wait(SECONDS) == 1


def test_the_pipes_are_not_those_of_tasks(ask: Ask) -> None:
    assert os.environ["PYTHONPATH"]  # the worker finds the tasks by it, so it sees this environment
    ask("noise")
    assert ask("echo", text="ünï") == [{"result": {"text": "ünï"}}]
