"""Jobs from being submitted to their end, with real processes; also when the server is stopped, or killed."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from job_helpers import SECONDS, is_running, soon, until, within_reason

from model_registry import StorageError
from model_registry_server.jobs.job import Job, JobNotFoundError
from model_registry_server.jobs.pool import WorkerPool
from model_registry_server.jobs.runner import Runner
from model_registry_server.jobs.store import Jobs
from model_registry_server.state import State

With = Callable[[Runner], Coroutine[Any, Any, None]]


@asynccontextmanager
async def running(
    folder: Path, size: int = 1, take: Callable[[Job, Any], object] | None = None
) -> AsyncIterator[Runner]:
    """A server's runner, from its start to its stop."""
    pool = WorkerPool(size, {"path": str(folder)}, 60.0, tasks=("job_tasks",))
    jobs = Jobs(State(folder))
    jobs.release()  # the runner uses threads of its own
    runner = Runner(jobs, pool, take)
    await runner.start()
    try:
        yield runner
    finally:
        await within_reason(runner.stop())
        await within_reason(pool.close())


def serve(folder: Path, work: With, size: int = 1, take: Callable[[Job, Any], object] | None = None) -> None:
    async def main() -> None:
        async with running(folder, size, take) as runner:
            await within_reason(work(runner))

    asyncio.run(main())


def files(folder: Path, name: str) -> dict[str, str]:
    """Where a task says that it has begun, and finds that it may go on."""
    return {"begun": str(folder / f"{name}.begun"), "go": str(folder / f"{name}.go")}


async def hold(runner: Runner, folder: Path, name: str) -> Job:
    """A job that has begun, and goes on when there is a file."""
    job = await runner.submit("hold", files(folder, name), "ada", ["m"])
    await soon((folder / f"{name}.begun").exists)
    return job


def worker_of(folder: Path, name: str) -> int:
    return int((folder / f"{name}.begun").read_text())


def test_a_job_is_done(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        job = await runner.submit("validate", {"deep": True}, "ada", ["m"])
        assert (job.state, job.models) == ("queued", ("m",))
        done = await runner.wait(job.id, SECONDS)
        assert done == await runner.get(job.id)
        assert (done.state, done.attempts, done.error) == ("succeeded", 1, None)
        assert done.result["valid_models"] == 1
        assert done.progress is not None
        assert done.progress["bytes_done"] == done.progress["bytes_total"] >= 6000
        assert done.started_at is not None
        assert done.finished_at is not None
        assert done.created_at <= done.started_at <= done.finished_at

    serve(folder, work)


@pytest.mark.parametrize(
    ("task", "arguments", "type", "message"),
    [
        ("refuse", {}, "UnsafeModelError", "a/b was refused"),
        ("raise", {"kind": "value"}, "PluginError", "the work failed: ValueError"),
        ("dance", {}, "InvalidOptionError", "there is no task 'dance'"),
        ("end", {"code": 3}, "StorageError", "the worker process ended with exit code 3 before the work was done"),
    ],
)
def test_a_job_that_fails_says_why_and_stops_no_other(
    folder: Path, task: str, arguments: dict[str, Any], type: str, message: str
) -> None:
    async def work(runner: Runner) -> None:
        job = await runner.submit(task, arguments, "ada", [])
        other = await runner.submit("echo", {"a": 1}, "ada", [])
        failed = await runner.wait(job.id, SECONDS)
        assert failed.state == "failed"
        assert failed.error is not None
        assert (failed.error["type"], failed.error["message"]) == (type, message)
        assert (await runner.wait(other.id, SECONDS)).result == {"a": 1}

    serve(folder, work)


def test_parts_are_taken_in_order_also_when_the_disk_refuses_at_first_and_the_job_fails_at_last(folder: Path) -> None:
    taken: list[tuple[str, int]] = []
    refusals = ["the disk is full"]

    def take(job: Job, part: int) -> None:
        if part == 1 and refusals:
            raise StorageError(refusals.pop())
        taken.append((job.id, part))

    async def work(runner: Runner) -> None:
        done = await runner.submit("parts", {"count": 3}, "ada", [])
        failed = await runner.submit("parts", {"count": 2, "fails": True}, "ada", [])
        assert (await runner.wait(done.id, SECONDS)).result == 3
        assert (await runner.wait(failed.id, SECONDS)).state == "failed"
        assert taken == [(done.id, 0), (done.id, 1), (done.id, 2), (failed.id, 0), (failed.id, 1)]

    serve(folder, work, take=take)


def test_jobs_run_in_order_as_many_at_once_as_there_are_processes(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        held = [await hold(runner, tmp_path, name) for name in "ab"]
        file = tmp_path / "notes"
        notes = [
            await runner.submit("note", {"file": str(file), "line": str(number)}, "ada", []) for number in range(4)
        ]
        await asyncio.sleep(0.1)
        assert [(await runner.get(job.id)).state for job in [*held, *notes]] == ["running"] * 2 + ["queued"] * 4
        (tmp_path / "a.go").touch()
        for job in notes:
            assert (await runner.wait(job.id, SECONDS)).state == "succeeded"
        assert file.read_text().split() == ["0", "1", "2", "3"]
        assert (await runner.get(held[1].id)).state == "running"
        (tmp_path / "b.go").touch()
        assert (await runner.wait(held[1].id, SECONDS)).state == "succeeded"

    serve(folder, work, size=2)


def test_the_same_work_is_one_job(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        async def submit() -> Job:
            return await runner.submit("hold", files(tmp_path, "a"), "ada", ["m"], "the same")

        jobs = await asyncio.gather(*(submit() for _ in range(10)))
        assert len({job.id for job in jobs}) == 1
        (tmp_path / "a.go").touch()
        await runner.wait(jobs[0].id, SECONDS)
        assert (await submit()).id != jobs[0].id

    serve(folder, work)


def test_a_job_that_waits_is_cancelled_at_once(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        held = await hold(runner, tmp_path, "a")
        file = tmp_path / "notes"
        job = await runner.submit("note", {"file": str(file), "line": "no"}, "ada", [])
        assert (await runner.cancel(job.id)).state == "cancelled"
        (tmp_path / "a.go").touch()
        assert (await runner.wait(held.id, SECONDS)).state == "succeeded"
        await runner.wait((await runner.submit("echo", {}, "ada", [])).id, SECONDS)
        assert not file.exists()

    serve(folder, work)


def test_a_job_that_runs_is_killed_when_it_is_cancelled(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        job = await hold(runner, tmp_path, "a")
        assert (await runner.cancel(job.id)).state == "cancelling"
        cancelled = await runner.wait(job.id, SECONDS)
        assert (cancelled.state, cancelled.result, cancelled.error) == ("cancelled", None, None)
        assert not is_running(worker_of(tmp_path, "a"))
        assert await runner.cancel(job.id) == cancelled

    serve(folder, work)


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.01, 0.05, 0.2])
def test_a_job_may_be_cancelled_at_any_moment(folder: Path, tmp_path: Path, pause: float) -> None:
    async def work(runner: Runner) -> None:
        job = await runner.submit("hold", files(tmp_path, "a"), "ada", [])
        await asyncio.sleep(pause)
        await runner.cancel(job.id)
        assert (await runner.wait(job.id, SECONDS)).state == "cancelled"
        assert (await runner.wait((await runner.submit("echo", {}, "ada", [])).id, SECONDS)).state == "succeeded"

    serve(folder, work)


def test_a_job_may_be_cancelled_just_when_it_is_begun(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        job = await runner.submit("hold", files(tmp_path, "a"), "ada", [])
        await asyncio.sleep(0)  # it is being claimed
        request = asyncio.create_task(runner.cancel(job.id))
        for _ in range(3):
            await asyncio.sleep(0)
        time.sleep(0.3)  # when the loop looks again, both have happened
        await request
        assert (await runner.wait(job.id, 5.0)).state == "cancelled"

    serve(folder, work)


def test_whoever_cancels_need_not_wait_for_it(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        job = await hold(runner, tmp_path, "a")
        request = asyncio.create_task(runner.cancel(job.id))
        await asyncio.sleep(0)
        request.cancel()
        assert (await runner.wait(job.id, SECONDS)).state == "cancelled"

    serve(folder, work)


def test_unknown_jobs_are_errors(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        for call in (runner.get("abc"), runner.cancel("abc"), runner.wait("abc", 0.0), anext(runner.follow("abc"))):
            with pytest.raises(JobNotFoundError, match="there is no job 'abc'"):
                await call

    serve(folder, work)


def test_waiting_ends_when_its_time_is_over(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        job = await hold(runner, tmp_path, "a")
        for seconds in (0.0, 0.05):
            assert (await runner.wait(job.id, seconds)).state == "running"
        (tmp_path / "a.go").touch()
        assert (await runner.wait(job.id, SECONDS)).state == "succeeded"

    serve(folder, work)


def test_every_follower_sees_the_job_go_on_and_end(folder: Path) -> None:
    async def follow(runner: Runner, id: str) -> list[Job]:
        return [job async for job in runner.follow(id)]

    async def work(runner: Runner) -> None:
        job = await runner.submit("count", {"total": 500, "seconds": 0.5}, "ada", [])
        for seen in await asyncio.gather(*(follow(runner, job.id) for _ in range(20))):
            states = [news.state for news in seen]
            assert states[0] in ("queued", "running")
            assert states[-1] == "succeeded"
            assert states.count("succeeded") == 1
            assert seen[-1] == await runner.get(job.id)
            done = [news.progress["bytes_done"] for news in seen if news.progress]
            assert done == sorted(done)
            assert len({*done}) >= 3
            assert len(seen) <= seen[-1].result / 0.1 + 6
        assert [news.state for news in await follow(runner, job.id)] == ["succeeded"]

    serve(folder, work)


def test_a_slow_follower_misses_only_what_lies_in_between(folder: Path) -> None:
    async def work(runner: Runner) -> None:
        job = await runner.submit("echo", {}, "ada", [])
        seen = []
        async for news in runner.follow(job.id):
            seen.append(news.state)
            await runner.wait(job.id, SECONDS)
        assert seen[-1] == "succeeded"
        assert len(seen) <= 2

    serve(folder, work)


def test_a_follower_that_leaves_early_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    async def work(runner: Runner) -> None:
        job = await hold(runner, tmp_path, "a")
        for _ in range(50):
            async with aclosing(runner.follow(job.id)) as news:  # type: ignore[type-var]
                assert (await anext(news)).state == "running"
        waiting = [asyncio.create_task(runner.wait(job.id, SECONDS)) for _ in range(50)]
        await asyncio.sleep(0.05)
        assert len(runner._board) == 1
        while waiting:
            waiting.pop().cancel()
        await soon(lambda: gc.collect() >= 0 and len(runner._board) == 0)
        (tmp_path / "a.go").touch()
        assert (await runner.wait(job.id, SECONDS)).state == "succeeded"

    serve(folder, work)


def test_what_ran_when_the_server_was_stopped_is_continued_by_the_next(folder: Path, tmp_path: Path) -> None:
    ids: list[str] = []

    async def first(runner: Runner) -> None:
        ids.append((await hold(runner, tmp_path, "a")).id)
        ids.append((await runner.submit("echo", {"a": 1}, "ada", [])).id)

    async def second(runner: Runner) -> None:
        (tmp_path / "a.go").touch()
        for id in ids:
            assert (await runner.wait(id, SECONDS)).state == "succeeded"
        assert (await runner.get(ids[0])).attempts == 1  # being stopped is no fault of the job

    serve(folder, first)
    assert not is_running(worker_of(tmp_path, "a"))
    jobs = Jobs(State(folder))
    assert [jobs.get(id).state for id in ids] == ["running", "queued"]
    jobs.release()
    serve(folder, second)


def test_followers_are_let_go_when_the_server_stops(folder: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with running(folder) as runner:
            job = await hold(runner, tmp_path, "a")
            following = asyncio.create_task(runner.wait(job.id, SECONDS * 10))
            await asyncio.sleep(0.05)
        assert (await within_reason(following)).state == "running"

    asyncio.run(main())


def test_work_is_taken_up_again_when_the_disk_is_well_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(runner: Runner) -> None:
        state = State(folder)
        with state.writing() as db:  # a table that is away stands for a disk that refuses
            db.execute("ALTER TABLE jobs RENAME TO away")
        runner._added.set()
        await soon(lambda: "the state of the jobs could not be written" in caplog.text)
        with state.writing() as db:
            db.execute("ALTER TABLE away RENAME TO jobs")
        job = await runner.submit("echo", {"a": 1}, "ada", [])
        assert (await runner.wait(job.id, SECONDS)).result == {"a": 1}
        with state.reading() as db:
            db.close()

    serve(folder, work)


SERVER = """
    import asyncio, sys
    from pathlib import Path

    from model_registry_server.jobs.pool import WorkerPool
    from model_registry_server.jobs.runner import Runner
    from model_registry_server.jobs.store import Jobs
    from model_registry_server.state import State


    async def main(folder, begun, go):
        pool = WorkerPool(1, {"path": folder}, 60.0, tasks=("job_tasks",))
        runner = Runner(Jobs(State(Path(folder))), pool)
        await runner.start()
        job = await runner.submit("hold", {"begun": begun, "go": go}, "ada", ["m"])
        print(job.id, flush=True)
        await asyncio.sleep(600)


    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("before", ["begun", "before it is begun"])
def test_a_server_that_is_killed_leaves_no_process_and_the_next_one_continues(
    folder: Path, tmp_path: Path, before: str
) -> None:
    where = files(tmp_path, "a")
    command = [sys.executable, "-c", dedent(SERVER), str(folder), *where.values()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        id = server.stdout.readline().strip()
        if before == "begun":
            until(Path(where["begun"]).exists)
        server.send_signal(signal.SIGKILL)
    if before == "begun":
        until(lambda: not is_running(worker_of(tmp_path, "a")))

    async def work(runner: Runner) -> None:
        (tmp_path / "a.go").touch()
        job = await runner.wait(id, SECONDS)
        assert job.state == "succeeded"
        assert job.attempts in ((2,) if before == "begun" else (1, 2))

    serve(folder, work)
