"""Giving versions to the server: the blobs that it lacks, then the word to make a version of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from model_registry import ModelEntry, StorageError, VersionExistsError
from model_registry.errors import ModelNotFoundError, RegistryNotFoundError
from model_registry_server.client.cache import Cache, Note
from model_registry_server.client.errors import PASSING, UnreachableError
from model_registry_server.client.http import PATIENT, Http, part
from model_registry_server.client.patience import Patience
from model_registry_server.client.progress import Told
from model_registry_server.client.records import Document
from model_registry_server.client.uploads import Upload, Uploads
from model_registry_server.errors import TooManyRequestsError
from model_registry_server.transfer.errors import ConflictError, UploadNotFoundError

#: So often the number of a version may be taken by others before ours is given up.
_ATTEMPTS = 20
#: Seconds for which the server may be busy with a version of which it was told before.
_LONGEST_RECEIPT = 3600.0
#: Of the way to the server, or of its disk. Nothing is wrong with what has come: the next push goes on with it.
_TROUBLES = (StorageError, RegistryNotFoundError, TooManyRequestsError)


class _OtherFilesError(Exception):
    """A model that was saved again became other files, so that everything has to be sent again."""


class Push:
    """Brings versions to the server."""

    def __init__(self, http: Http, cache: Cache, progress: Told) -> None:
        self._http = http
        self._cache = cache
        self._progress = progress
        self._uploads = Uploads(http)

    def made(
        self, name: str, version: str | None, make: Callable[[str], ModelEntry], *, exist_ok: bool = False
    ) -> Document:
        """Make a version in the cache, and give it to the server. If that fails, neither has it.

        :param version: None for the next one, which is another one if somebody else is faster.
        :param make: Registers the version of this number in the cache.
        :param exist_ok: The same version may be there already.
        :returns: The *version* at the server.
        """
        made: list[ModelEntry] = []

        def make_another(number: str) -> ModelEntry:
            self._cache.drop(name, number)
            made.append(make(number))
            return made[-1]

        with self._cache.lock(name):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    entry = make_another(version or self.next_version(name))
                    return self.given(entry, exist_ok=exist_ok, renew=None if version else make_another)
                except BaseException as error:
                    for entry in made:
                        self._cache.drop(entry.name, entry.version)
                    may_go_on = isinstance(error, (VersionExistsError, _OtherFilesError)) and version is None
                    if not may_go_on or attempt == _ATTEMPTS:
                        raise
        raise AssertionError("there is always a last attempt")

    def given(
        self,
        entry: ModelEntry,
        *,
        exist_ok: bool = False,
        registered_at: datetime | None = None,
        renew: Callable[[str], ModelEntry] | None = None,
    ) -> Document:
        """Give a version of any registry to the server.

        :param registered_at: When it was registered, if it is not now.
        :param renew: Makes the same version with another number, if that of ``entry`` is taken while its files are
            sent: a number is known only in the version's documents, which are sent last.
        :returns: The *version* at the server.
        """
        files = {file.sha256 for file in entry.files}
        with self._cache.upload(f"{entry.name}: {' '.join(sorted(files))}") as note:
            missing = self.missing(entry.name, entry.blobs)
            if not missing:
                self._discard(note)
                return self._receive(entry, None, exist_ok=exist_ok, registered_at=registered_at)
            members = {sha256: entry.blobs[sha256] for sha256 in missing if sha256 in files}
            upload = self._begun(note, members, len(missing) - len(members))
            try:
                paths = [(entry.blob(sha256), size) for sha256, size in members.items()]
                with self._progress.operation(f"uploading {entry.reference}", bytes_total=sum(members.values())):
                    self._uploads.send_all(upload, paths)
                    entry = self._renewed(entry, renew)
                    self._send_documents(upload, entry, members)
                    told = self._receive(entry, upload, exist_ok=exist_ok, registered_at=registered_at)
                    note.forget()
                    return told
            except _TROUBLES:
                raise
            except BaseException:
                if self._uploads.give_up(upload):
                    note.forget()
                raise

    def missing(self, name: str, blobs: Mapping[str, int]) -> list[str]:
        """Which of these blobs the server lacks."""
        told = self._http.send("POST", f"/models/{part(name)}/missing", {"blobs": dict(blobs)}, repeatable=True)
        missing: list[str] = told["missing"]
        return missing

    def next_version(self, name: str) -> str:
        """The number that the next version gets."""
        version: str = self._http.get(f"/models/{part(name)}/next-version")["version"]
        return version

    def _begun(self, note: Note, members: Mapping[str, int], documents: int) -> Upload:
        """The upload of these files: the one that an earlier push had to leave, if the server still has it."""
        noted = note.read()
        upload = None if noted is None else self._uploads.begun(noted, members, documents)
        if upload is None:
            self._discard(note)
            upload = self._uploads.begin(members, documents)
            note.write(upload.id)
        return upload

    def _discard(self, note: Note) -> None:
        """Let the server throw away what an earlier push had to leave there: it takes room until then."""
        noted = note.read()
        if noted is not None:
            self._uploads.discard(noted)
            note.forget()

    def _renewed(self, entry: ModelEntry, renew: Callable[[str], ModelEntry] | None) -> ModelEntry:
        if renew is None:
            return entry
        number = self.next_version(entry.name)
        if number == entry.version:
            return entry
        self._cache.drop(entry.name, entry.version)
        return renew(number)

    def _send_documents(self, upload: Upload, entry: ModelEntry, sent: Collection[str]) -> None:
        """Send what tells of the files that were sent. Places for which nothing is left get nothing."""
        places = upload.places[len(sent) :]
        files = {file.sha256 for file in entry.files}
        missing = self.missing(entry.name, entry.blobs)
        documents = [sha256 for sha256 in missing if sha256 not in files]
        if len(documents) > len(places) or not files.intersection(missing) <= set(sent):
            raise _OtherFilesError(f"{entry.reference} was written in another way the second time")
        contents = [entry.blob(sha256).read_bytes() for sha256 in documents]
        contents += [b""] * (len(places) - len(contents))
        for place, data in zip(places, contents, strict=True):
            self._uploads.send_last(upload, place.number, data)

    def _receive(
        self, entry: ModelEntry, upload: Upload | None, *, exist_ok: bool, registered_at: datetime | None
    ) -> Document:
        files = {file.sha256 for file in entry.files}
        order = {
            "digest": entry.digest,
            "upload": None if upload is None else upload.id,
            "records": [sha256 for sha256 in entry.blobs if sha256 not in files and sha256 != entry.digest],
            "exist_ok": exist_ok,
            "registered_at": None if registered_at is None else registered_at.isoformat(),
        }
        patience, busy = Patience(), Patience(_LONGEST_RECEIPT)
        in_doubt = False
        while True:
            try:
                path = f"/models/{part(entry.name)}/receive"
                told: Document = self._http.send("POST", path, order, timeout=PATIENT)
                return told
            except (*PASSING, ConflictError, UploadNotFoundError, VersionExistsError) as error:
                # The word may have arrived, though the answer did not; and with it, the upload ended.
                if isinstance(error, VersionExistsError) and not in_doubt:
                    raise
                if isinstance(error, ConflictError):
                    patience.renew()  # the server answers, and is at it
                in_doubt |= isinstance(error, (UnreachableError, ConflictError))
                found = self._found(entry, patience)
                if found is not None:
                    return found
                if isinstance(error, (UploadNotFoundError, VersionExistsError)):
                    raise
                (busy if isinstance(error, ConflictError) else patience).wait(error)

    def _found(self, entry: ModelEntry, patience: Patience) -> Document | None:
        """The version, if the server has it."""
        while True:
            try:
                found: Document = self._http.get(f"/models/{part(entry.name)}", version=entry.version)
                return found if found["digest"] == entry.digest else None
            except ModelNotFoundError:
                return None
            except PASSING as error:
                patience.wait(error)
