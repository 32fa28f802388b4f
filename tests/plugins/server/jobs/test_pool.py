"""The worker processes of a server, with real ones."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from job_helpers import is_running, soon, within_reason

from model_registry import ModelNotFoundError
from model_registry_server.jobs.failures import WorkerError
from model_registry_server.jobs.pool import WorkerPool

With = Callable[[WorkerPool], Coroutine[Any, Any, None]]


def use(folder: Path, work: With, *, size: int = 1, idle_seconds: float = 60.0, **more: Any) -> None:
    """Do something with a pool, and close it."""

    async def main() -> None:
        pool = WorkerPool(size, {"path": str(folder)}, idle_seconds, tasks=("job_tasks",), **more)
        try:
            await within_reason(work(pool))
        finally:
            await within_reason(pool.close())

    asyncio.run(main())


def hold(pool: WorkerPool, folder: Path, name: str) -> asyncio.Task[Any]:
    """A worker that writes a file and goes on when there is another."""
    files = {"begun": str(folder / f"{name}.begun"), "go": str(folder / f"{name}.go")}
    return asyncio.create_task(pool.run("hold", files, "ada"))


def test_a_task_is_done_and_told_of(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        reports: list[dict[str, Any]] = []
        result = await pool.run("validate", {"deep": True}, "ada", reports.append)
        assert result["valid_models"] == 1
        assert reports[-1]["bytes_done"] == reports[-1]["bytes_total"] >= 6000

    use(folder, work)


def test_a_process_is_used_again(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        assert await pool.run("pid", {}, "ada") == await pool.run("pid", {}, "grace")

    use(folder, work)


def test_an_error_is_raised_here_and_the_process_works_on(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        before = await pool.run("pid", {}, "ada")
        with pytest.raises(WorkerError, match="no model 'n'") as caught:
            await pool.run("restore_hot", {"name": "n", "version": "1"}, "ada")
        assert caught.value.type == "ModelNotFoundError"
        assert caught.value.facts["model"] == "n"
        original = caught.value.original()
        assert isinstance(original, ModelNotFoundError)
        assert (original.model, str(original)) == ("n", str(caught.value))
        assert await pool.run("pid", {}, "ada") == before

    use(folder, work)


def test_more_tasks_than_places_wait_in_order(folder: Path, tmp_path: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        held = [hold(pool, tmp_path, name) for name in "ab"]
        await soon(lambda: (tmp_path / "a.begun").exists() and (tmp_path / "b.begun").exists())
        file = tmp_path / "notes"
        notes = [
            asyncio.create_task(pool.run("note", {"file": str(file), "line": str(number)}, "ada"))
            for number in range(5)
        ]
        await asyncio.sleep(0.2)
        assert not file.exists()
        (tmp_path / "a.go").touch()
        await asyncio.gather(*notes)
        assert file.read_text().split() == ["0", "1", "2", "3", "4"]
        (tmp_path / "b.go").touch()
        assert len({*await asyncio.gather(*held)}) == 2

    use(folder, work, size=2)


def test_a_process_without_work_ends_after_a_while_and_another_takes_over(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        first = await pool.run("pid", {}, "ada")
        await soon(lambda: not is_running(first))
        second = await pool.run("pid", {}, "ada")
        assert second != first

    use(folder, work, idle_seconds=0.05)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"signal": signal.SIGKILL}, "was ended by SIGKILL"),
        ({"signal": signal.SIGRTMIN + 5}, f"was ended by signal {signal.SIGRTMIN + 5}"),
        ({"code": 3}, "ended with exit code 3"),
    ],
    ids=["killed", "real-time", "exit"],
)
def test_a_process_that_dies_is_an_error_and_the_next_task_gets_another(
    folder: Path, how: dict[str, int], told: str
) -> None:
    async def work(pool: WorkerPool) -> None:
        before = await pool.run("pid", {}, "ada")
        with pytest.raises(WorkerError, match=f"^the worker process {told} .* try again") as caught:
            await pool.run("end", how, "ada")
        assert caught.value.type == "StorageError"
        assert await pool.run("pid", {}, "ada") != before

    use(folder, work)


def test_a_process_that_dies_without_work_is_not_used(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        before = await pool.run("pid", {}, "ada")
        (worker,) = pool._idle
        worker.kill()
        await soon(lambda: not worker.is_alive)
        assert await pool.run("pid", {}, "ada") != before

    use(folder, work)


def test_a_module_of_tasks_that_is_missing_is_an_error(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def work(pool: WorkerPool) -> None:
        pool._tasks = ("missing_tasks",)
        with pytest.raises(WorkerError, match=r"exit code 1 .* the server's log says more"):
            await pool.run("pid", {}, "ada")

    use(folder, work)
    assert "No module named 'missing_tasks'" in capfd.readouterr().err


def test_cancelling_kills_the_process_and_all_that_it_started(folder: Path, tmp_path: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        begun = tmp_path / "begun"
        running = asyncio.create_task(pool.run("family", {"begun": str(begun)}, "ada"))
        await soon(begun.exists)
        family = [int(pid) for pid in begun.read_text().split()]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not is_running(family[0])
        await soon(lambda: not any(map(is_running, family)))
        assert await pool.run("echo", {"a": 1}, "ada") == {"a": 1}

    use(folder, work)


def test_what_a_dead_process_had_started_ends_too_and_keeps_nobody_waiting(folder: Path, tmp_path: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        begun = tmp_path / "begun"
        with pytest.raises(WorkerError, match="exit code 7"):
            await pool.run("family", {"begun": str(begun), "code": 7}, "ada")
        family = [int(pid) for pid in begun.read_text().split()]
        await soon(lambda: not any(map(is_running, family)))

    use(folder, work)


def test_cancelling_who_waits_takes_nobodys_place(folder: Path, tmp_path: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        held = hold(pool, tmp_path, "a")
        await soon((tmp_path / "a.begun").exists)
        waiting = asyncio.create_task(pool.run("pid", {}, "ada"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        (tmp_path / "a.go").touch()
        assert await held == await pool.run("pid", {}, "ada")

    use(folder, work)


def test_cancelling_while_a_process_starts_leaves_none(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        for pause in (0.0, 0.0, 0.001, 0.01, 0.05):
            starting = asyncio.create_task(pool.run("pid", {}, "ada"))
            await asyncio.sleep(pause)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        assert not pool._busy
        assert not pool._idle

    use(folder, work)


def test_a_listener_that_fails_ends_the_work(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        with pytest.raises(ZeroDivisionError):
            await pool.run("count", {"total": 1000, "seconds": 100}, "ada", lambda report: 1 // 0)
        assert await pool.run("echo", {}, "ada") == {}

    use(folder, work)


def test_closing_ends_all_processes_whatever_they_do(folder: Path, tmp_path: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        idle = await pool.run("pid", {}, "ada")
        held = [hold(pool, tmp_path, name) for name in "ab"]
        await soon(lambda: (tmp_path / "a.begun").exists() and (tmp_path / "b.begun").exists())
        waiting = asyncio.create_task(pool.run("pid", {}, "ada"))
        await asyncio.sleep(0.05)
        await pool.close()
        pids = [idle, *(int((tmp_path / f"{name}.begun").read_text()) for name in "ab")]
        assert not any(map(is_running, pids))
        for failed in [*held, waiting, asyncio.create_task(pool.run("pid", {}, "ada"))]:
            with pytest.raises(WorkerError) as caught:
                await failed
            assert caught.value.type == "StorageError"

    use(folder, work, size=2)


def test_a_worker_tells_no_more_than_is_taken(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        taken: list[int] = []
        taking = 0

        async def take(part: int) -> None:
            nonlocal taking
            taking += 1
            assert taking == 1
            await asyncio.sleep(0.001)
            taking -= 1
            taken.append(part)

        assert await pool.run("parts", {"count": 50}, "ada", None, take) == 50
        assert taken == list(range(50))
        assert await pool.run("parts", {"count": 50}, "ada") == 50  # nobody takes them

    use(folder, work)


def test_long_answers_and_long_arguments_arrive_whole(folder: Path) -> None:
    async def work(pool: WorkerPool) -> None:
        assert await pool.run("long", {"length": 5 << 20}, "ada") == "x" * (5 << 20)
        assert await pool.run("echo", {"text": "é" * (1 << 20)}, "ada") == {"text": "é" * (1 << 20)}

    use(folder, work)


def test_the_environment_of_a_process_is_the_servers_and_what_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = os.environ["PYTHONPATH"]
    monkeypatch.delenv("PYTHONPATH")

    async def work(pool: WorkerPool) -> None:
        assert await pool.run("echo", {"a": 1}, "ada") == {"a": 1}

    use(folder, work, environment={"PYTHONPATH": paths})


def test_it_works_with_the_loop_of_the_server(folder: Path, tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        pool = WorkerPool(2, {"path": str(folder)}, 60.0, tasks=("job_tasks",))
        pid = await pool.run("pid", {}, "ada")
        held = hold(pool, tmp_path, "a")
        await soon((tmp_path / "a.begun").exists)
        with pytest.raises(WorkerError, match="SIGKILL"):
            await pool.run("end", {"signal": signal.SIGKILL}, "ada")
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        assert await pool.run("pid", {}, "ada") != pid
        await pool.close()

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(within_reason(main()))
    finally:
        loop.close()
