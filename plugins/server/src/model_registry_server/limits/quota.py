"""How much may come: the largest upload, and what all files of the registry may take together."""

from __future__ import annotations

from functools import partial
from weakref import WeakValueDictionary

from model_registry import ModelRegistry
from model_registry_server.limits.bounds import Body, Bound
from model_registry_server.options import MEGABYTE, ServerOptions
from model_registry_server.transfer.uploads import Uploads


class Quota:
    """The bounds of a server. What was announced but has not come takes no room."""

    def __init__(self, options: ServerOptions, registry: ModelRegistry, uploads: Uploads) -> None:
        self._largest = int(options.max_upload_mb * MEGABYTE) if options.max_upload_mb else None
        self._registry = registry
        self._uploads = uploads
        self._all = Bound(int(options.quota_mb * MEGABYTE), "quota_mb", self._stored) if options.quota_mb else None
        #: Of uploads of which parts are coming in; the parts hold them.
        self._single: WeakValueDictionary[str, Bound] = WeakValueDictionary()

    def require_in_thread(self, announced: int) -> None:
        """Look whether an upload of so many bytes could come now. It waits for the disk.

        :raises TooLargeError: if not.
        """
        for bound in self._bounds(self._one()):
            bound.require_in_thread(announced)

    def body(self) -> Body:
        """Of an upload in one request."""
        return Body(self._bounds(self._one()), stays=False)

    def part(self, upload: str) -> Body:
        """Of an upload that comes in parts, all of which count, of whichever of its files. Not for threads."""
        single = self._single.get(upload)
        if single is None:
            single = self._one(upload)
        if single is not None:
            self._single[upload] = single
        return Body(self._bounds(single), stays=True)

    def _one(self, upload: str | None = None) -> Bound | None:
        if self._largest is None:
            return None
        look = None if upload is None else partial(self._uploads.bytes_of, upload)
        return Bound(self._largest, "max_upload_mb", look)

    def _bounds(self, single: Bound | None) -> list[Bound]:
        return [bound for bound in (single, self._all) if bound is not None]

    def _stored(self) -> int:
        # In this order: an upload that becomes a version meanwhile is seen twice, and never not at all.
        coming = self._uploads.bytes_of()
        return coming + int(self._registry.get_detailed_stats()["stored_bytes"])
