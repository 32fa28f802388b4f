"""What the server makes of a version, brought to where the user wants it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from model_registry import (
    Conversion,
    ExportedPath,
    ModelEntry,
    ModelRegistryError,
    ParityReport,
    StorageError,
    remotes,
)
from model_registry_server.client.bodies import whole
from model_registry_server.client.downloads import Growing
from model_registry_server.client.errors import PASSING
from model_registry_server.client.http import Http, part
from model_registry_server.client.parallel import Stop
from model_registry_server.client.patience import Patience
from model_registry_server.client.progress import Told
from model_registry_server.client.records import parity_of, record
from model_registry_server.client.unpacking import unpack
from model_registry_server.client.waiting import Jobs
from model_registry_server.client.writing import published
from model_registry_server.transfer.exports import export_key

#: So often the server makes an export that had to make room before it was fetched.
_MOST_JOBS = 3


@frozen
class Wish:
    """What is to be made.

    :param gate: ``check``, ``allow_mismatch`` and ``tolerance``.
    """

    entry: ModelEntry
    format: str
    gate: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Where the server is asked for it."""
        return f"/models/{part(self.entry.name)}/export"

    @property
    def query(self) -> dict[str, Any]:
        """How."""
        said = {"version": self.entry.version, "format": self.format, "options": json.dumps(dict(self.options))}
        return {**said, **{key: value for key, value in self.gate.items() if value is not None}}


class Exports:
    """Exports by the server."""

    def __init__(self, http: Http, jobs: Jobs, progress: Told) -> None:
        self._http = http
        self._jobs = jobs
        self._progress = progress

    def write(self, wish: Wish, destination: Path, *, overwrite: bool) -> ExportedPath:
        """Have it made, and write it."""
        what = f"exporting {wish.entry.reference}"
        with published(destination, overwrite=overwrite) as temporary:
            with temporary.open("wb", buffering=0) as file:
                growing = Growing(file)
                parity = self._made(wish, growing, what)
            growing.require_said(self._http.address)
            if growing.etag.endswith('-tar"'):
                _unpack(temporary)
        return ExportedPath(str(destination), parity or self._parity_of_earlier(wish))

    def _made(self, wish: Wish, growing: Growing, what: str) -> ParityReport | None:
        """Have it made as long as the server does not have it, and bring it; what was found when it was made."""
        parity, patience = None, Patience()
        for _ in range(_MOST_JOBS + 1):
            job = self._brought(wish, growing, what, patience)
            if job is None:
                return parity
            parity = parity_of(self._jobs.result(job, what)["parity"])
            patience.renew()
        raise StorageError(
            f"{what}: the server made it {_MOST_JOBS} times, and each time had it no more when it was fetched",
            hint="see whether the server's disk is full, or whether too much is exported at once",
            path=self._http.address,
        )

    def _brought(self, wish: Wish, growing: Growing, what: str, patience: Patience) -> Any:
        """The job that makes it; None if it was made, and has come."""
        while True:
            try:
                with self._http.stream(wish.path, growing.wanted, wish.query) as response:
                    if response.status_code == 202:
                        return self._http.document(whole(response, self._http.address))
                    growing.begin(response)
                    with self._progress.operation(what, bytes_total=growing.whole):
                        remotes.advance(growing.size)
                        growing.take(response, patience, Stop())
                        return None
            except PASSING as error:
                patience.wait(error)

    def _parity_of_earlier(self, wish: Wish) -> ParityReport:
        """What was found when the server made it, for somebody else or earlier."""
        gate = {"check": True, "allow_mismatch": False, "tolerance": None, **wish.gate}
        key = f"export {export_key(wish.entry.digest, wish.format, gate, wish.options)}"
        with suppress(ModelRegistryError, KeyError):
            for job in self._http.get("/jobs", state="succeeded", limit=500).several("jobs"):
                if job["key"] == key:
                    return parity_of(self._http.get(f"/jobs/{job['id']}")["result"]["parity"])
        return ParityReport(None, skipped="the server made it earlier, and does not know any more")


def plan_of(http: Http, entry: ModelEntry, to: str | None, path: str | os.PathLike[str] | None) -> list[Conversion]:
    """The steps that lead to a format, or to what the suffix of a path asks for.

    :raises UnsupportedFormatError: with what is possible.
    """
    asked = {"to": to} if to is not None or path is None else {"path": f"export{Path(path).suffix}"}
    plan = http.get(f"/models/{part(entry.name)}/plan", version=entry.version, **asked)
    return record(plan["steps"], list[Conversion])


def _unpack(archive: Path) -> None:
    """Put a folder in the place of the archive that came."""
    packed = archive.with_name(f"{archive.name}.tar")
    try:
        archive.rename(packed)
        unpack(packed, archive)
    finally:
        packed.unlink(missing_ok=True)
