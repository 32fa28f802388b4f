"""Many processes and threads in one registry at once."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
from tests.core import faults
from tests.core.faults import Children, Job, open_registry

from model_registry import StorageError, forks


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


def test_of_16_that_register_the_same_version_one_wins(children: Children, tmp_path: Path) -> None:
    open_registry(tmp_path)
    outcomes = children.race(Job("register", (tmp_path, "same", "1.0.0", f"process {n}")) for n in range(16))
    assert Counter(outcome.error for outcome in outcomes) == {"": 1, "VersionExistsError": 15}
    assert faults.assert_sound(tmp_path) == {"same:1.0.0"}
    winner = next(n for n, outcome in enumerate(outcomes) if outcome.acknowledged)
    assert open_registry(tmp_path).load_model("same").model == faults.parts(f"process {winner}")
    faults.assert_nothing_unused(tmp_path)


def test_8_processes_number_200_versions_without_a_gap(children: Children, tmp_path: Path) -> None:
    outcomes = children.race(Job("register_many", (tmp_path, "numbered", 25, f"process {n}")) for n in range(8))
    assert {outcome.error + outcome.message for outcome in outcomes} == {""}
    given = [version for outcome in outcomes for version in outcome.result]
    assert sorted(given) == sorted(f"1.0.{n}" for n in range(200))
    listed = [entry.version for entry in open_registry(tmp_path).list_models(name="numbered")]
    assert listed == [f"1.0.{n}" for n in range(200)]
    faults.assert_sound(tmp_path)


def test_registering_removing_and_collecting_at_once_loses_nothing(children: Children, tmp_path: Path) -> None:
    outcomes = children.race(Job("churn", (tmp_path, worker, 4.0)) for worker in range(4))
    assert {outcome.error + outcome.message for outcome in outcomes} == {""}
    kept = {reference for outcome in outcomes for reference in outcome.result}
    assert len(kept) > 10
    faults.assert_sound(tmp_path, kept)
    faults.assert_nothing_unused(tmp_path)


def test_16_processes_make_the_same_registry(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "new" / "registry"
    outcomes = children.race(Job("register", (path, "made", f"1.{n}", "same content")) for n in range(16))
    assert {outcome.error + outcome.message for outcome in outcomes} == {""}
    assert len(faults.assert_sound(path)) == 16
    assert sorted(file.name for file in path.iterdir() if file.name.startswith(".")) == []


def test_8_threads_share_a_registry(children: Children, tmp_path: Path) -> None:
    outcome = children.run(Job("threads", (tmp_path, 8, 4)))
    assert outcome.acknowledged, outcome
    assert len(set(outcome.result)) == 32
    assert len(faults.assert_sound(tmp_path)) == 32


def test_threads_that_come_at_once_share_one_pool(children: Children) -> None:
    outcomes = children.race(Job("pools", ("", 8)) for _ in range(100))
    assert {(outcome.result, outcome.error) for outcome in outcomes} == {(1, "")}


def test_a_registry_goes_on_in_a_forked_child(children: Children, tmp_path: Path) -> None:
    outcome = children.run(Job("fork", (tmp_path,)))
    assert outcome.acknowledged, outcome
    labels = Counter(entry.metadata.extra["label"].split()[0] for entry in open_registry(tmp_path).list_models())
    assert labels == {"before": 1, "parent": 5, "child": 5}
    faults.assert_sound(tmp_path)


@pytest.mark.parametrize("others", [False, True], ids=["one object", "several objects and threads"])
def test_a_daemon_keeps_what_it_registers_after_its_parent_is_gone(
    children: Children, tmp_path: Path, others: bool
) -> None:
    outcome = children.run(Job("outlive", (tmp_path, others)))
    assert outcome.acknowledged, outcome
    faults.assert_sound(tmp_path, {f"daemon:{version}" for version in outcome.result})
    assert len(outcome.result) == 5


@pytest.mark.parametrize("point", ["staged", "claimed", "placed"])
def test_collecting_while_another_process_registers_takes_nothing_from_it(
    children: Children, tmp_path: Path, point: str
) -> None:
    """The dead one before it left the same shared content unreferenced: both share what is to be collected."""
    path = tmp_path / "registry"
    assert children.run(Job("die_in_stage", (path,))).signal == SIGKILL
    jobs = [Job("register_paused", (path, point, tmp_path)), Job("collect_meanwhile", (path, tmp_path))]
    outcomes = children.race(jobs)
    assert [outcome.error + outcome.message for outcome in outcomes] == ["", ""]
    assert faults.assert_sound(path) == {"paused:1.0.0"}
    faults.assert_nothing_unused(path)


def test_a_child_forked_amid_a_transaction_of_another_thread_says_so_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "_PATIENCE", 0.05)
    registry = open_registry(tmp_path / "registry")
    registry.list_models()
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with registry._context.catalog._connections.writing(durable=False):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(30)
    child = os.fork()
    if child == 0:
        try:
            registry.list_models()
        except StorageError as error:
            os._exit(0 if "forked" in str(error) else 2)
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    leave.set()
    thread.join()
    assert code == 0
    assert registry.list_models() == []
