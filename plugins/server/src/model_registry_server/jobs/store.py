"""The jobs in the server's state."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from attrs import evolve

from model_registry_server.jobs.job import Job, JobNotFoundError, JobState
from model_registry_server.state import State

#: So often a job may be begun while servers die under it: then it is likely to be what kills them.
MOST_ATTEMPTS = 3
#: Seconds between two reports of a job that are written to the disk.
_SAVE_INTERVAL = 1.0

#: Jobs of one owner that are told of when they have ended, and those among them that ended within the last hour.
MOST_ENDED, MOST_ENDED_LATELY = 1000, 10_000
_LATELY = timedelta(hours=1)
#: Characters, all ASCII, of the results of one owner's jobs; and of a result that makes room among the others. Of those
#: that are no longer, as many as there may be take little more.
MOST_RESULTS, _LONG_RESULT = 64 << 20, 10_000

#: Whether somebody sees jobs that are about these models.
Sees = Callable[[Sequence[str]], bool]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    key TEXT,
    arguments TEXT NOT NULL,
    models TEXT NOT NULL,
    actor TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    progress TEXT,
    result TEXT,
    error TEXT
)"""
# A job that is being cancelled does not count: whoever asks for the same work wants it done.
_ONE_FOR_A_KEY = """
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_key ON jobs (key) WHERE state IN ('queued', 'running') AND key IS NOT NULL"""
_BY_STATE = "CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number)"
_BY_KIND = "CREATE INDEX IF NOT EXISTS jobs_by_kind ON jobs (kind, state, finished_at)"
_BY_OWNER = "CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, state, number)"
_BY_END = """
CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (owner, finished_at, number) WHERE finished_at IS NOT NULL"""

#: Characters of what a job is listed with, of which there may be hundreds in a list.
_BRIEF = 2000
_BRIEFLY = f"""
id, kind, key, models, actor, owner, state, attempts, created_at, started_at, finished_at, progress, NULL AS result,
CASE WHEN length(arguments) <= {_BRIEF} THEN arguments ELSE '{{}}' END AS arguments,
CASE WHEN length(error) <= {_BRIEF} THEN error END AS error"""

# Taking turns: an owner whose job was begun last comes after those who wait since before.
_NEXT = """
SELECT q.id FROM jobs q
WHERE q.state = 'queued' AND q.number = (SELECT min(number) FROM jobs WHERE owner = q.owner AND state = 'queued')
ORDER BY
    (SELECT count(*) FROM jobs WHERE owner = q.owner AND state IN ('running', 'cancelling')),
    coalesce((SELECT max(started_at) FROM jobs WHERE owner = q.owner), 0),
    q.number
LIMIT 1"""


# What an owner asks for makes room among its own, so that whoever asks for much makes the table no larger. What ended
# first goes first, whenever it was begun. The newest of each kind that succeeded stays: pages show it.
_NEWEST_OF_KINDS = """
SELECT number FROM (
    SELECT number, max(finished_at) FROM jobs WHERE owner = :owner AND state = 'succeeded' GROUP BY kind)"""
_MAKE_ROOM = f"""
DELETE FROM jobs WHERE owner = :owner AND finished_at < :before AND (finished_at, number) <= (
    SELECT finished_at, number FROM jobs WHERE owner = :owner AND finished_at IS NOT NULL
    ORDER BY finished_at DESC, number DESC LIMIT 1 OFFSET :most
) AND number NOT IN ({_NEWEST_OF_KINDS})"""  # noqa: S608 - constant
_MAKE_ROOM_FOR_RESULTS = f"""
DELETE FROM jobs WHERE number IN (
    SELECT number FROM (
        SELECT number, sum(length(result)) OVER (ORDER BY finished_at DESC, number DESC) AS characters
        FROM jobs WHERE owner = :owner AND finished_at IS NOT NULL AND result IS NOT NULL)
    WHERE characters > :most
) AND number NOT IN ({_NEWEST_OF_KINDS}) AND id != :id"""  # noqa: S608 - constant


class Jobs:
    """The table of jobs. Safe to use from several threads; of one server, for reports are kept in memory at first.

    :param state: Where the table is, or is made.
    :param clock: Seconds since some moment.
    :param most_ended: Jobs of an owner that are kept when they have ended: those that ended last.
    :param most_lately: The same, while it is not an hour since they ended.
    :param most_results: Characters of their results. Jobs that ended before those that have so many are forgotten.
    """

    def __init__(
        self,
        state: State,
        *,
        clock: Callable[[], float] = time.monotonic,
        most_ended: int = MOST_ENDED,
        most_lately: int = MOST_ENDED_LATELY,
        most_results: int = MOST_RESULTS,
    ) -> None:
        self._state = state
        self._most_ended = most_ended
        self._most_lately = most_lately
        self._most_results = most_results
        self._clock = clock
        self._reports: dict[str, Mapping[str, Any]] = {}
        self._saved: dict[str, float] = {}
        state.create(_TABLE, _ONE_FOR_A_KEY, _BY_STATE, _BY_KIND, _BY_OWNER, _BY_END)

    def add(
        self,
        kind: str,
        arguments: Mapping[str, Any],
        actor: str,
        models: Iterable[str] = (),
        key: str | None = None,
        owner: str = "",
    ) -> Job:
        """Queue a job; if one of the same key is queued or running, that one is returned instead.

        Of its owner's, those that ended first are forgotten, if they are too many.

        :param owner: Whose it is: owners take turns. Default: the actor.
        """
        id = secrets.token_hex(8)
        said = json.dumps(dict(arguments)), json.dumps(list(models))
        values = (id, kind, key, *said, actor, owner or actor, "queued", _now())
        with self._state.writing() as db:
            same = db.execute("SELECT id FROM jobs WHERE key = ? AND state IN ('queued', 'running')", (key,)).fetchone()
            if same is None:
                db.execute(
                    "INSERT INTO jobs (id, kind, key, arguments, models, actor, owner, state, created_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
                self._make_room(db, owner or actor)
        return self.get(id if same is None else same["id"])

    def get(self, id: str) -> Job:
        """A job as it is now.

        :raises JobNotFoundError: if there is none.
        """
        with self._state.reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise job_not_found(id)
        return self._job(row)

    def list(
        self, state: JobState | None = None, before: str | None = None, limit: int = 50, sees: Sees | None = None
    ) -> Sequence[Job]:
        """The newest jobs first, without their results, and without arguments and errors that are long.

        :param before: The id of the last job of the page before.
        :param sees: Whether jobs about these models are among those that are meant. Default: all are.
        :raises JobNotFoundError: if that job was forgotten meanwhile, or is not meant: nobody knows where to go on.
        """
        with self._state.reading() as db:
            db.create_function("meant", 1, _meant(sees))
            found = db.execute("SELECT number FROM jobs WHERE id = ? AND meant(models)", (before,)).fetchone()
            if before is not None and found is None:
                raise job_not_found(before, "begin with the newest jobs again")
            rows = db.execute(
                f"SELECT {_BRIEFLY} FROM jobs WHERE (:state IS NULL OR state = :state)"  # noqa: S608 - constant
                " AND (:last IS NULL OR number < :last) AND meant(models) ORDER BY number DESC LIMIT :limit",
                {"state": state, "last": found and found["number"], "limit": limit},
            ).fetchall()
        return [self._job(row) for row in rows]

    def newest(self, kind: str, state: JobState) -> Job | None:
        """The job of a kind that ended last in a state; None if there is none."""
        with self._state.reading() as db:
            row = db.execute(
                "SELECT * FROM jobs WHERE kind = ? AND state = ? ORDER BY finished_at DESC LIMIT 1", (kind, state)
            ).fetchone()
        return None if row is None else self._job(row)

    def claim_next(self) -> Job | None:
        """The next job, which is running from now on; None if none waits.

        It is the one that has waited longest, of those owners of whose jobs the fewest run, and were begun lately.
        """
        with self._state.writing() as db:
            row = db.execute(_NEXT).fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = ? WHERE id = ?",
                (_now(), row["id"]),
            )
        return self.get(row["id"])

    def progress(self, id: str, report: Mapping[str, Any]) -> None:
        """How far a running job has come. It is seen at once, and written to the disk once a second."""
        self._reports[id] = report
        now = self._clock()
        if now - self._saved.setdefault(id, now) >= _SAVE_INTERVAL:
            self._saved[id] = now
            with self._state.writing() as db:
                db.execute(
                    "UPDATE jobs SET progress = ? WHERE id = ? AND finished_at IS NULL", (json.dumps(report), id)
                )

    def finish(self, id: str, state: JobState, *, result: Any = None, error: Mapping[str, Any] | None = None) -> Job:
        """What became of a job. A job that has ended stays as it is.

        Of its owner's, those that ended first and have a result are forgotten, if their results are too long.

        :param state: One of those that never change: ``succeeded``, ``failed``, ``cancelled``.
        """
        report, text = self._reports.get(id), _json(result)
        with self._state.writing() as db:
            ended = db.execute(
                "UPDATE jobs SET state = ?, finished_at = ?, result = ?, error = ?, progress = coalesce(?, progress)"
                " WHERE id = ? AND finished_at IS NULL",
                (state, _now(), text, _json(error), _json(report), id),
            )
            if ended.rowcount and text is not None and len(text) > _LONG_RESULT:
                owner = db.execute("SELECT owner FROM jobs WHERE id = ?", (id,)).fetchone()["owner"]
                db.execute(_MAKE_ROOM_FOR_RESULTS, {"owner": owner, "most": self._most_results, "id": id})
        self._forget_reports(id)
        return self.get(id)

    def cancel(self, id: str) -> Job:
        """End a job that waits; one that runs is being cancelled from now on, which is not for the table to do."""
        with self._state.writing() as db:
            db.execute(
                "UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE id = ? AND state = 'queued'", (_now(), id)
            )
            db.execute("UPDATE jobs SET state = 'cancelling' WHERE id = ? AND state = 'running'", (id,))
        return self.get(id)

    def interrupt(self, id: str) -> None:
        """A job was stopped with its server, on purpose: that it did not end is no fault of the job."""
        with self._state.writing() as db:
            db.execute("UPDATE jobs SET attempts = attempts - 1 WHERE id = ? AND state = 'running'", (id,))
        self._forget_reports(id)

    def requeue_running(self) -> None:
        """A server starts: what ran when the last one ended is queued again, or given up.

        It waits before all that was queued later.
        """
        given_up = {
            "type": "StorageError",
            "message": f"the server ended {MOST_ATTEMPTS} times while this job ran",
            "hint": "see in the server's log why; the job may need more memory than there is",
            "facts": {},
        }
        with self._state.writing() as db:
            db.execute("UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE state = 'cancelling'", (_now(),))
            db.execute(
                "UPDATE jobs SET state = 'failed', finished_at = ?, error = ?"
                " WHERE state = 'running' AND attempts >= ?",
                (_now(), json.dumps(given_up), MOST_ATTEMPTS),
            )
            db.execute("UPDATE jobs SET state = 'queued', started_at = NULL, progress = NULL WHERE state = 'running'")

    def unfinished(self, owner: str) -> int:
        """How many jobs of an owner wait or run."""
        query = "SELECT count(*) FROM jobs WHERE owner = ? AND state IN ('queued', 'running', 'cancelling')"
        with self._state.reading() as db:
            return int(db.execute(query, (owner,)).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state, but for those in which there are none."""
        with self._state.reading() as db:
            return dict(db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())

    def forget(self, before: datetime) -> int:
        """Forget the jobs that ended before then. Returns how many."""
        with self._state.writing() as db:
            return db.execute("DELETE FROM jobs WHERE finished_at < ?", (_microseconds(before),)).rowcount

    def release(self) -> None:
        """Close the connection of a thread that is about to end, and call nothing more in it."""
        with self._state.reading() as db:
            db.close()

    def _make_room(self, db: sqlite3.Connection, owner: str) -> None:
        now = _now()
        lately = now - _LATELY // timedelta(microseconds=1)
        for before, most in ((lately, self._most_ended), (now, self._most_lately)):
            db.execute(_MAKE_ROOM, {"owner": owner, "before": before, "most": most})

    def _job(self, row: sqlite3.Row) -> Job:
        job = _job_of(row)
        report = None if job.ended else self._reports.get(job.id)
        return job if report is None else evolve(job, progress=report)

    def _forget_reports(self, id: str) -> None:
        self._reports.pop(id, None)
        self._saved.pop(id, None)


def job_not_found(id: str, hint: str = "jobs that ended long ago are forgotten") -> JobNotFoundError:
    """What is told of a job that is not there."""
    return JobNotFoundError(f"there is no job {id[:40]!r}", hint=hint, job=id)


def _meant(sees: Sees | None) -> Callable[[str], bool]:
    """The same of models as the table has them. Most jobs are about few models, so that it is seldom asked anew."""
    return (lambda models: True) if sees is None else lru_cache(lambda models: sees(json.loads(models)))


def _job_of(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        key=row["key"],
        arguments=json.loads(row["arguments"]),
        models=tuple(json.loads(row["models"])),
        actor=row["actor"],
        owner=row["owner"],
        state=row["state"],
        attempts=row["attempts"],
        created_at=_moment(row["created_at"]),
        started_at=_moment_or_none(row["started_at"]),
        finished_at=_moment_or_none(row["finished_at"]),
        progress=_parsed(row["progress"]),
        result_text=row["result"],
        error=_parsed(row["error"]),
    )


def _now() -> int:
    return time.time_ns() // 1000


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _moment_or_none(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _moment(microseconds)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
