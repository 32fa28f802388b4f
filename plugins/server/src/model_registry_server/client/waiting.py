"""Work that the server does as a job: waited for, told of, and cancelled if nobody wants it any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from model_registry import remotes
from model_registry.errors import StorageError
from model_registry_server.client.errors import PASSING, error_of_job
from model_registry_server.client.http import TIMEOUT, Http
from model_registry_server.client.patience import Patience
from model_registry_server.client.progress import Told

_ENDED = frozenset({"succeeded", "failed", "cancelled"})
#: Seconds for which the server waits before it tells how far a job is; less if somebody listens.
_WAIT, _WAIT_HEARD = 30, 1


class Jobs:
    """Has the server do what takes long."""

    def __init__(self, http: Http, progress: Told) -> None:
        self._http = http
        self._progress = progress

    def run(self, path: str, order: Mapping[str, Any], what: str) -> Any:
        """Order a job, and wait for its result.

        :param what: What is being done, for people.
        :raises ModelRegistryError: for which it failed.
        """
        body = {key: value for key, value in order.items() if value is not None}
        return self.result(self._http.send("POST", path, body), what)

    def result(self, job: Mapping[str, Any], what: str) -> Any:
        """Wait for a job that was ordered. If the waiting ends otherwise, such as by Ctrl-C, it is cancelled."""
        with self._cancelling(job["id"]), _Telling(self._progress, what) as telling:
            while job["state"] not in _ENDED:
                telling.tell(job.get("progress"))
                job = self._next(job["id"])
            telling.tell(job.get("progress"))
            if job["state"] == "failed":
                raise error_of_job(job["error"] or {"facts": {}}, self._http.address)
            if job["state"] == "cancelled":
                message = f"{what}: somebody cancelled it at the server"
                raise StorageError(message, hint="ask for it again", path=self._http.address)
        return job["result"]

    def _next(self, job_id: str) -> Any:
        """The job when it has ended, or some time later."""
        patience = Patience()
        seconds = _WAIT_HEARD if self._progress.is_heard else _WAIT
        while True:
            try:
                headers = {"Prefer": f"wait={seconds}"}
                return self._http.send("GET", f"/jobs/{job_id}", headers=headers, timeout=TIMEOUT)
            except PASSING as error:  # it goes on when the server was started anew
                patience.wait(error)

    @contextmanager
    def _cancelling(self, job_id: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._http.forgo(f"/jobs/{job_id}")  # what has ended stays as it is
            raise


class _Telling:
    """Turns what a job tells into operations of the client. Each thing that it does after another is one."""

    def __init__(self, progress: Told, what: str) -> None:
        self._progress = progress
        self._what = what
        self._told: Mapping[str, Any] = {}
        self._open = ExitStack()

    def __enter__(self) -> _Telling:
        return self

    def __exit__(self, *failure: Any) -> None:
        if failure[0] is None and not self._told:
            self._begin({"what": self._what})
        self._open.__exit__(*failure)

    def tell(self, report: Mapping[str, Any] | None) -> None:
        """How far it has come."""
        if not report:
            return
        if report["what"] != self._told.get("what"):
            self._open.close()
            self._begin(report)
        remotes.advance(max(report["bytes_done"] - self._told.get("bytes_done", 0), 0))
        items = report["items_done"] - self._told.get("items_done", 0)
        if items > 0:
            remotes.item_done(items)
        self._told = report

    def _begin(self, report: Mapping[str, Any]) -> None:
        bytes_total, items_total = report.get("bytes_total"), report.get("items_total")
        operation = self._progress.operation(report["what"], bytes_total=bytes_total, items_total=items_total)
        self._open.enter_context(operation)
        self._told = {"what": report["what"]}
