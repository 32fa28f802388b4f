"""How an entry of a server looks at what belongs to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from model_registry import FileRecord, ModelEntry, Parent, TensorRecord
from model_registry_server.client.answer import Answer
from model_registry_server.client.http import PATIENT, part
from model_registry_server.client.pull import blobs_of, require_same
from model_registry_server.client.records import Document, record

if TYPE_CHECKING:
    from model_registry_server.client.connection import Connection


class Remote:
    """The inspector of a server's entries. What never changes of a version is asked for once.

    :param server: Is asked; another process opens it again.
    :param known: All that the server told of a version, if it did.
    """

    def __init__(self, server: Connection, known: Document | None = None) -> None:
        self.server = server
        self._known = known
        self._blobs: tuple[str, dict[str, int]] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return Remote, (self.server,)

    def files(self, entry: ModelEntry) -> tuple[FileRecord, ...]:
        return record(self._details(entry)["files"], tuple[FileRecord, ...])

    def blobs(self, entry: ModelEntry) -> Mapping[str, int]:
        if self._blobs is None or self._blobs[0] != entry.digest:
            self._blobs = entry.digest, dict(blobs_of(self.server.http, entry)["blobs"])
        return MappingProxyType(self._blobs[1])

    def blob(self, entry: ModelEntry, sha256: str) -> Path:
        return self.server.pulled(entry).blob(sha256)

    def provenance(self, entry: ModelEntry) -> Mapping[str, str] | None:
        return _copied(self._details(entry)["provenance"])

    def environment(self, entry: ModelEntry) -> Mapping[str, Any] | None:
        return _copied(self._details(entry)["environment"])

    def aliases(self, entry: ModelEntry) -> tuple[str, ...]:
        return tuple(self._asked(entry)["aliases"])

    def tags(self, entry: ModelEntry) -> Mapping[str, str]:
        return dict(self._asked(entry)["tags"])

    def parents(self, entry: ModelEntry) -> tuple[Parent, ...]:
        return record(self._asked(entry)["parents"], tuple[Parent, ...])

    def tensors(self, entry: ModelEntry) -> tuple[TensorRecord, ...]:
        told: list[Document] = []
        for page in self._inside(entry, "tensor", told):
            told += page.several("tensors")
        return record(told, tuple[TensorRecord, ...])

    def modules(self, entry: ModelEntry) -> Mapping[str, str]:
        told: dict[str, str] = {}
        for page in self._inside(entry, "module", told):
            told |= page.lines("modules")
        return told

    def verify(self, entry: ModelEntry) -> None:
        with self.server.working(f"verifying {entry.reference}"):
            self._verified(entry, deep=False)

    def checksum(self, entry: ModelEntry) -> str:
        with self.server.working(f"verifying {entry.reference}"):
            return str(self._verified(entry, deep=True)["checksum"])

    def _details(self, entry: ModelEntry) -> Document:
        """All that is known of a version, of which something may be old."""
        if self._known is None or self._known["digest"] != entry.digest:
            self._known = self._asked(entry)
        return self._known

    def _asked(self, entry: ModelEntry) -> Document:
        document: Document = self.server.http.get(_path(entry), version=entry.version)
        require_same(entry, document["digest"])
        return document

    def _inside(self, entry: ModelEntry, kind: str, told: Sized) -> Iterator[Answer]:
        """What is told of a version, page by page, until all of a kind is.

        :param told: To which whoever asks adds what each page tells.
        """
        path = f"{_path(entry)}/inside"
        page = self.server.http.get(path, timeout=PATIENT, version=entry.version)
        count = page.count(f"{kind}_count")
        yield page
        while (start := len(told)) < count:
            page = self.server.http.get(path, timeout=PATIENT, version=entry.version, start=start)
            yield page
            if len(told) == start:
                raise page.wrong(f"{kind}_count")  # it said that there is more

    def _verified(self, entry: ModelEntry, *, deep: bool) -> Document:
        path = f"{_path(entry)}/verify"
        found: Document = self.server.http.get(path, timeout=PATIENT, version=entry.version, deep=deep)
        require_same(entry, found["digest"])
        return found


def _path(entry: ModelEntry) -> str:
    return f"/models/{part(entry.name)}"


def _copied(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if facts is None else dict(facts)
