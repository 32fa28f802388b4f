"""The table of jobs: what it says is true after any sequence of events, and after the server died."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from model_registry import ModelRegistryError
from model_registry_server.jobs.job import ENDED, Job, JobNotFoundError, JobState
from model_registry_server.jobs.store import Jobs
from model_registry_server.state import State


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(State(tmp_path))
    yield jobs
    jobs.release()


def again(folder: Path) -> Jobs:
    """The jobs as the next server finds them."""
    return Jobs(State(folder))


REPORT = {"what": "validating", "bytes_done": 5, "bytes_total": 9, "items_done": 0, "items_total": None}


def test_a_job_is_as_it_was_added(jobs: Jobs) -> None:
    before = datetime.now(timezone.utc)
    job = jobs.add("convert", {"name": "m", "to": "onnx"}, "ada", ["m", "n"])
    assert re.fullmatch("[0-9a-f]{16}", job.id)
    assert (job.kind, job.arguments, job.actor, job.models) == (
        "convert",
        {"name": "m", "to": "onnx"},
        "ada",
        ("m", "n"),
    )
    assert (job.state, job.attempts, job.ended, job.key) == ("queued", 0, False, None)
    assert before <= job.created_at <= datetime.now(timezone.utc)
    assert jobs.get(job.id) == job


def test_a_job_is_a_document(jobs: Jobs) -> None:
    job = jobs.add("backup", {"a": [1]}, "ada", ["m"], "key")
    document = json.loads(json.dumps(job.document()))
    assert document == {
        "id": job.id,
        "kind": "backup",
        "key": "key",
        "arguments": {"a": [1]},
        "models": ["m"],
        "actor": "ada",
        "state": "queued",
        "attempts": 0,
        "created_at": job.created_at.isoformat(),
        "started_at": None,
        "finished_at": None,
        "progress": None,
        "error": None,
    }
    assert document["created_at"].endswith("+00:00")


def test_the_newest_of_a_kind_is_found_among_any_number_of_others(jobs: Jobs) -> None:
    assert jobs.newest("validate", "succeeded") is None
    first, second = (jobs.add("validate", {"deep": deep}, "ada") for deep in (False, True))
    jobs.finish(second.id, "succeeded", result=2)
    jobs.finish(first.id, "succeeded", result=1)  # begun before, and ended after
    jobs.finish(jobs.add("validate", {}, "ada").id, "failed")
    for _ in range(600):
        jobs.finish(jobs.add("backup", {}, "ada").id, "succeeded")
    found = jobs.newest("validate", "succeeded")
    assert found is not None
    assert (found.id, found.result) == (first.id, 1)


def test_a_job_that_is_not_there_is_an_error(jobs: Jobs) -> None:
    for call in (jobs.get, jobs.cancel):
        with pytest.raises(JobNotFoundError, match="there is no job 'abc'") as caught:
            call("abc")
        assert isinstance(caught.value, ModelRegistryError)
        assert caught.value.facts == {"job": "abc"}


def test_jobs_are_claimed_in_the_order_in_which_they_came(jobs: Jobs) -> None:
    added = [jobs.add("backup", {}, "ada").id for _ in range(3)]
    claimed = [jobs.claim_next() for _ in range(3)]
    assert [job.id for job in claimed if job] == added
    assert {(job.state, job.attempts) for job in claimed if job} == {("running", 1)}
    assert all(job.started_at for job in claimed if job)
    assert jobs.claim_next() is None


def test_a_job_ends_once(jobs: Jobs) -> None:
    job = jobs.add("backup", {}, "ada")
    jobs.claim_next()
    done = jobs.finish(job.id, "succeeded", result={"path": "p"})
    assert (done.state, done.result, done.ended) == ("succeeded", {"path": "p"}, True)
    assert done.finished_at is not None
    assert jobs.finish(job.id, "failed", error={"type": "StorageError"}) == done
    assert jobs.cancel(job.id) == done


@pytest.mark.parametrize("running", [False, True], ids=["queued", "running"])
def test_the_same_work_is_not_queued_twice(jobs: Jobs, running: bool) -> None:
    job = jobs.add("convert", {"name": "m"}, "ada", ["m"], "m to onnx")
    if running:
        jobs.claim_next()
    assert jobs.add("convert", {"name": "m"}, "grace", ["m"], "m to onnx").id == job.id
    assert jobs.add("convert", {"name": "n"}, "grace", ["n"], "n to onnx").id != job.id
    assert len(jobs.list()) == 2


@pytest.mark.parametrize("end", ["succeeded", "cancelling"])
def test_work_that_is_over_or_unwanted_can_be_queued_again(jobs: Jobs, end: str) -> None:
    job = jobs.add("backup", {}, "ada", [], "key")
    jobs.claim_next()
    jobs.finish(job.id, "succeeded") if end == "succeeded" else jobs.cancel(job.id)
    assert jobs.add("backup", {}, "ada", [], "key").id != job.id


def test_work_without_a_key_is_never_the_same(jobs: Jobs) -> None:
    assert jobs.add("backup", {}, "ada").id != jobs.add("backup", {}, "ada").id


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_is_being_cancelled(jobs: Jobs) -> None:
    first, second = jobs.add("backup", {}, "ada"), jobs.add("backup", {}, "ada")
    jobs.claim_next()
    assert jobs.cancel(first.id).state == "cancelling"
    assert jobs.cancel(second.id).state == "cancelled"
    assert jobs.claim_next() is None


def test_the_newest_jobs_are_listed_first_by_pages(jobs: Jobs) -> None:
    ids = [jobs.add("backup", {}, "ada").id for _ in range(5)][::-1]
    assert [job.id for job in jobs.list(limit=2)] == ids[:2]
    assert [job.id for job in jobs.list(before=ids[1], limit=2)] == ids[2:4]
    assert [job.id for job in jobs.list(before=ids[3], limit=2)] == ids[4:]
    jobs.claim_next()
    assert [job.id for job in jobs.list("running")] == ids[4:]
    assert [job.id for job in jobs.list("queued", before=ids[0])] == ids[1:4]


def test_progress_is_seen_at_once_and_written_once_a_second(tmp_path: Path) -> None:
    seconds = [100.0]
    jobs, other = Jobs(State(tmp_path), clock=lambda: seconds[0]), again(tmp_path)
    job = jobs.add("backup", {}, "ada")
    jobs.claim_next()
    for tick in range(25):
        seconds[0] = 100.0 + tick / 10
        report = {**REPORT, "bytes_done": tick}
        jobs.progress(job.id, report)
        assert jobs.get(job.id).progress == jobs.list()[0].progress == report
        written = other.get(job.id).progress
        assert written == (None if tick < 10 else {**REPORT, "bytes_done": tick // 10 * 10})
    assert jobs.finish(job.id, "succeeded").progress == {**REPORT, "bytes_done": 24}
    assert other.get(job.id).progress == {**REPORT, "bytes_done": 24}
    jobs.release()
    other.release()


def test_what_ran_when_the_server_died_is_queued_again_before_the_rest(jobs: Jobs, tmp_path: Path) -> None:
    first, second = jobs.add("backup", {}, "ada", ["m"], "key"), jobs.add("backup", {}, "ada")
    jobs.claim_next()
    jobs.progress(first.id, REPORT)
    after = again(tmp_path)
    after.requeue_running()
    job = after.get(first.id)
    assert (job.state, job.attempts, job.started_at, job.progress) == ("queued", 1, None, None)
    assert after.add("backup", {}, "ada", ["m"], "key").id == first.id
    claimed = after.claim_next()
    assert claimed is not None
    assert (claimed.id, claimed.attempts) == (first.id, 2)
    assert after.get(second.id).state == "queued"
    after.release()


def test_what_servers_die_of_three_times_is_given_up(jobs: Jobs) -> None:
    job = jobs.add("backup", {}, "ada")
    for _ in range(3):
        jobs.claim_next()
        jobs.requeue_running()
    failed = jobs.get(job.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error["type"] == "StorageError"
    assert failed.error["message"] == "the server ended 3 times while this job ran"
    assert failed.finished_at is not None


def test_a_server_that_is_stopped_on_purpose_uses_up_no_attempt(jobs: Jobs) -> None:
    job = jobs.add("backup", {}, "ada")
    for _ in range(5):
        jobs.claim_next()
        jobs.interrupt(job.id)
        jobs.requeue_running()
    assert (jobs.get(job.id).state, jobs.get(job.id).attempts) == ("queued", 0)


def test_what_was_being_cancelled_when_the_server_died_is_cancelled(jobs: Jobs) -> None:
    job = jobs.add("backup", {}, "ada")
    jobs.claim_next()
    jobs.cancel(job.id)
    jobs.requeue_running()
    assert jobs.get(job.id).state == "cancelled"


def end(jobs: Jobs, state: JobState, *, kind: str = "backup", hours_ago: float = 0.0, owner: str = "ada") -> str:
    """The id of a new job that ended so long ago."""
    id = jobs.add(kind, {}, owner).id
    jobs.finish(id, state)
    age(jobs, id, hours_ago)
    return id


def age(jobs: Jobs, id: str, hours: float) -> None:
    with jobs._state.writing() as db:
        db.execute("UPDATE jobs SET finished_at = finished_at - ? WHERE id = ?", (int(hours * 3600e6), id))


def test_of_an_owners_jobs_those_that_ended_last_are_kept(tmp_path: Path) -> None:
    jobs = Jobs(State(tmp_path), most_ended=2)
    waiting = jobs.add("validate", {}, "ada")
    of_bob = end(jobs, "failed", hours_ago=9, owner="bob")
    ended = [end(jobs, "failed", hours_ago=9 - number) for number in range(4)]
    last = jobs.add("validate", {}, "ada")
    assert [job.id for job in jobs.list()] == [last.id, *reversed(ended[2:]), of_bob, waiting.id]


def test_a_job_that_took_long_is_kept_as_long_as_others(tmp_path: Path) -> None:
    jobs = Jobs(State(tmp_path), most_ended=2)
    long = jobs.add("convert", {}, "ada").id
    short = [end(jobs, "failed", hours_ago=5 - number) for number in range(3)]
    jobs.finish(long, "failed")
    age(jobs, long, 1.5)
    jobs.add("backup", {}, "ada")
    kept = {job.id for job in jobs.list(limit=9)}
    assert long in kept
    assert [id for id in short if id in kept] == short[2:]


def test_what_ended_within_the_hour_is_kept_up_to_a_number(tmp_path: Path) -> None:
    jobs = Jobs(State(tmp_path), most_ended=1, most_lately=4)
    ended = [end(jobs, "failed", hours_ago=hours) for hours in (2.0, 1.5, 0.9, 0.5)]
    jobs.add("backup", {}, "ada")
    assert [job.id for job in jobs.list()][1:] == ended[:1:-1]
    ended += [end(jobs, "failed") for _ in range(3)]
    jobs.add("backup", {}, "ada")
    assert [job.id for job in jobs.list("failed")] == ended[:2:-1]


def test_the_newest_of_each_kind_that_succeeded_is_kept(tmp_path: Path) -> None:
    jobs = Jobs(State(tmp_path), most_ended=1)
    end(jobs, "succeeded", kind="validate", hours_ago=9)
    kept = [end(jobs, "succeeded", kind=kind, hours_ago=8) for kind in ("validate", "convert")]
    ended = [end(jobs, "failed", kind="validate", hours_ago=7 - number) for number in range(3)]
    jobs.add("backup", {}, "ada")
    assert [job.id for job in jobs.list()][1:] == [ended[2], *reversed(kept)]
    found = jobs.newest("validate", "succeeded")
    assert found is not None
    assert found.id == kept[0]


def test_of_an_owners_results_those_that_came_last_are_kept_up_to_a_length(tmp_path: Path) -> None:
    jobs = Jobs(State(tmp_path), most_results=100_000)
    of_bob = jobs.add("validate", {}, "bob").id
    jobs.finish(of_bob, "succeeded", result="x" * 90_000)
    failed = end(jobs, "failed")
    ended = []
    for length in (30_000, 30_000, 30_000, 5, 30_000, 30_000):
        ended.append(jobs.add("validate", {}, "ada").id)
        jobs.finish(ended[-1], "succeeded", result="x" * length)
    assert [job.id for job in jobs.list()] == [*reversed(ended[2:]), failed, of_bob]
    other = jobs.add("recommend", {}, "ada").id
    jobs.finish(other, "succeeded", result="x" * 200_000)  # longer than all may be: whoever asked for it is told
    assert [job.id for job in jobs.list()] == [other, ended[-1], failed, of_bob]
    assert len(jobs.get(other).result) == 200_000


def test_only_jobs_that_are_seen_are_listed_and_lead_to_the_next(jobs: Jobs) -> None:
    ids = [jobs.add("backup", {}, "ada", models).id for models in (["a"], ["b"], ["a", "b"], ["a"], [])]

    def sees(models: Sequence[str]) -> bool:
        return list(models) == ["a"]

    assert [job.id for job in jobs.list(limit=2, sees=sees)] == [ids[3], ids[0]]
    assert [job.id for job in jobs.list(before=ids[3], limit=2, sees=sees)] == [ids[0]]
    with pytest.raises(JobNotFoundError, match="begin with the newest jobs again"):
        jobs.list(before=ids[2], sees=sees)


def test_a_page_after_a_job_that_was_forgotten_is_an_error(jobs: Jobs) -> None:
    first = end(jobs, "failed", hours_ago=2)
    jobs.forget(datetime.now(timezone.utc) - timedelta(hours=1))
    with pytest.raises(JobNotFoundError, match=r"there is no job .* begin with the newest jobs again"):
        jobs.list(before=first)


def test_jobs_that_ended_long_ago_are_forgotten(jobs: Jobs) -> None:
    old, new = jobs.add("backup", {}, "ada"), jobs.add("backup", {}, "ada")
    jobs.claim_next()
    ended = jobs.finish(old.id, "succeeded").finished_at
    assert ended is not None
    assert jobs.forget(ended) == 0
    assert jobs.forget(ended + timedelta(microseconds=1)) == 1
    assert [job.id for job in jobs.list()] == [new.id]
    assert jobs.forget(datetime.now(timezone.utc) + timedelta(days=1)) == 0


class Events(RuleBasedStateMachine):
    """Any sequence of events, compared with a plain account of what should be."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.jobs = Jobs(State(self.folder))
        with self.jobs._state.writing() as db:
            db.execute("DELETE FROM jobs")
        self.order: list[str] = []
        self.expected: dict[str, tuple[str, int]] = {}
        self.keys: dict[str, str] = {}

    def named(self, *states: str) -> list[str]:
        return [id for id in self.order if self.expected[id][0] in states]

    @rule(key=st.none() | st.sampled_from("ab"))
    def add(self, key: str | None) -> None:
        same = [id for id in self.named("queued", "running") if key is not None and self.keys.get(id) == key]
        job = self.jobs.add("backup", {}, "ada", [], key)
        if same:
            assert job.id == same[0]
            return
        assert job.id not in self.expected
        self.order.append(job.id)
        self.expected[job.id] = "queued", 0
        if key is not None:
            self.keys[job.id] = key

    @rule()
    def claim(self) -> None:
        waiting = self.named("queued")
        job = self.jobs.claim_next()
        assert (job.id if job else None) == (waiting[0] if waiting else None)
        if job is not None:
            self.expected[job.id] = "running", self.expected[job.id][1] + 1

    @precondition(lambda self: self.order)
    @rule(data=st.data(), state=st.sampled_from(["succeeded", "failed", "cancelled"]))
    def finish(self, data: st.DataObject, state: str) -> None:
        id = data.draw(st.sampled_from(self.order))
        self.jobs.finish(id, state)  # type: ignore[arg-type]
        if self.expected[id][0] not in ENDED:
            self.expected[id] = state, self.expected[id][1]

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(self.order))
        self.jobs.cancel(id)
        state, attempts = self.expected[id]
        self.expected[id] = {"queued": "cancelled", "running": "cancelling"}.get(state, state), attempts

    @rule()
    def die(self) -> None:
        self.jobs.requeue_running()
        for id, (state, attempts) in self.expected.items():
            if state == "cancelling":
                self.expected[id] = "cancelled", attempts
            elif state == "running":
                self.expected[id] = "queued" if attempts < 3 else "failed", attempts

    @invariant()
    def the_table_says_what_happened(self) -> None:
        found: list[Job] = list(self.jobs.list(limit=1000))
        assert [job.id for job in found] == self.order[::-1]
        assert {job.id: (job.state, job.attempts) for job in found} == self.expected
        assert all(job.ended == (job.finished_at is not None) for job in found)

    def teardown(self) -> None:
        self.jobs.release()


def test_any_sequence_of_events_leaves_the_table_true(tmp_path: Path) -> None:
    machine = type("Events", (Events,), {"folder": tmp_path})
    run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))
