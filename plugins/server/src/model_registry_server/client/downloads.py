"""Blobs of a server into files: hashed on the way, several at once, and continued after a broken connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from model_registry import IntegrityError, remotes
from model_registry_server.client.cache import disk_errors
from model_registry_server.client.errors import PASSING, misunderstood
from model_registry_server.client.http import Http
from model_registry_server.client.parallel import Stop, do_all
from model_registry_server.client.patience import Patience
from model_registry_server.transfer.digests import claimed_digest
from model_registry_server.transfer.errors import InvalidBodyError

_PIECE = 1 << 20


class Downloads:
    """The blobs of one version, each fetched when it is asked for, unless it came with others before.

    :param blobs: What the version is made of: sizes by SHA-256.
    :param folder: Where the files are put.
    """

    def __init__(
        self, http: Http, path: str, params: Mapping[str, str], blobs: Mapping[str, int], folder: Path
    ) -> None:
        self._http = http
        self._path = path
        self._params = params
        self._blobs = blobs
        self._folder = folder
        self.arrived: dict[Path, str] = {}

    def fetch_all(self, digests: Iterable[str]) -> None:
        """Fetch several at once, the largest first: the last one to come is then a small one."""
        ordered = sorted(digests, key=lambda digest: -self._blobs[digest])
        do_all([partial(self._fetch, digest) for digest in ordered])

    def __call__(self, digest: str) -> Path:
        """A file with the bytes of a blob.

        :raises IntegrityError: if the server gives others.
        """
        path = self._folder / digest
        if path not in self.arrived and digest in self._blobs:
            self._fetch(digest, Stop())
        return path

    def _fetch(self, digest: str, stop: Stop) -> None:
        path = self._folder / digest
        with disk_errors(path):
            download(self._http, f"{self._path}/{digest}", self._params, path, self._blobs[digest], digest, stop)
        self.arrived[path] = digest


def download(
    http: Http, path: str, params: Mapping[str, Any], target: Path, size: int, digest: str, stop: Stop
) -> None:
    """Download what has this size and SHA-256.

    :raises IntegrityError: if something else comes.
    """
    with target.open("wb", buffering=0) as file:
        found = Growing(file, size)
        patience = Patience(sleep=stop.wait)
        while True:
            try:
                with http.stream(path, found.wanted, params) as response:
                    found.begin(response)
                    found.take(response, patience, stop)
                break
            except PASSING as error:
                if found.size >= size:  # it broke after the last byte
                    break
                patience.wait(error)
    if (found.size, found.state.hexdigest()) != (size, digest):
        target.unlink()
        raise IntegrityError(
            f"{http.address} sent other bytes than those of sha256:{digest}",
            hint="nothing was kept; try again, and let «validate» look at the server's registry",
            path=path,
            expected=digest,
            found=found.state.hexdigest(),
        )


class Growing:
    """A file that grows by one answer after another, each of which goes on where the one before it broke.

    :param whole: Its size in the end; None if the answers have to tell it.
    :ivar size: What it has.
    :ivar state: The hash of that.
    :ivar etag: Of what is coming.
    """

    def __init__(self, file: BinaryIO | Any, whole: int | None = None) -> None:
        self._file = file
        self._known = whole
        self._furthest = 0
        self.whole = whole
        self.etag = ""
        self._digest = ""
        self.size = 0
        self.state = new_sha256()

    @property
    def wanted(self) -> dict[str, str]:
        """Headers that ask for what is missing; of what has an unknown size, that is all: nothing may be missing."""
        may_go_on = self.size and self.etag and self.whole is not None
        return {"Range": f"bytes={self.size}-", "If-Range": self.etag} if may_go_on else {}

    def begin(self, response: httpx.Response) -> None:
        """Look at an answer: whether it goes on, or begins anew."""
        if self.size and response.status_code != 206:
            self._begin_anew()
        self.etag = response.headers.get("etag", "")
        self._digest = response.headers.get("repr-digest", "")
        if self._known is None:
            length = response.headers.get("content-length", "")
            self.whole = self.size + int(length) if length.isdecimal() else None

    def take(self, response: httpx.Response, patience: Patience, stop: Stop) -> None:
        """Append what comes, until the answer ends, or gives more bytes than there may be in all."""
        for data in response.iter_raw(_PIECE):
            stop.check()
            self._write(data)
            if self.whole is not None and self.size > self.whole:
                break
            if self.size > self._furthest:  # what comes once more is no progress
                self._furthest = self.size
                patience.renew()

    def require_said(self, address: str) -> None:
        """See whether what came is what the last answer said of it: its length and its SHA-256, as far as it did.

        :raises IntegrityError: if it is something else.
        """
        try:
            said = claimed_digest([("repr-digest", self._digest)]) if self._digest else None
        except InvalidBodyError as error:
            raise misunderstood(address, f"sends a digest that cannot be checked: {self._digest!r:.100}") from error
        found = self.state.hexdigest()
        if said not in (None, found) or self.whole not in (None, self.size):
            raise IntegrityError(
                f"{address} sent other bytes than it said",
                hint="nothing was kept; try again",
                path=address,
                expected=said,
                found=found,
            )

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self.state.update(data)
        self.size += len(data)
        remotes.advance(len(data))

    def _begin_anew(self) -> None:
        with suppress(OSError):
            self._file.seek(0)
            self._file.truncate()
        self.size, self.state = 0, new_sha256()
