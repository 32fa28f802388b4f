"""What the server has done while a caller waits, in a process of its own: whatever opens a file of a model.

So no parser of a model's format runs where requests are served, and a plugin that imports its framework for it takes no
memory there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry import Arrival, Parent, UnsafeModelError
from model_registry.documents import plain, version_document
from model_registry_server.jobs.tasks import task

if TYPE_CHECKING:
    from model_registry import ModelRegistry

Arguments = Mapping[str, Any]

#: How many versions of a model are looked at for files that a new one may share with them.
_NEWEST = 50


@task("register")
def register(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``path`` of what arrived, ``digests`` by path, and the keywords of ``register_model`` → a *version*."""
    given = dict(arguments)
    digests = {Path(path): sha256 for path, sha256 in given.pop("digests").items()}
    arrival = Arrival(Path(given.pop("path")), digests)
    given["parent"] = [_parent(parent) for parent in given.get("parent") or ()]
    entry = registry.register_model(given.pop("name"), arrival, given.pop("model_format", None), **given)
    return plain(version_document(entry))


@task("receive")
def receive(registry: ModelRegistry, arguments: Arguments) -> Any:
    """What ``receive_version`` takes, with ``files``: a path for each SHA-256 → a *version*.

    What is said to be stored already is, or the registration fails.
    """
    files = {sha256: Path(path) for sha256, path in arguments["files"].items()}
    at = arguments["registered_at"]
    known = _Known(registry, None if arguments["borrow"] else arguments["name"])

    def fetch(sha256: str) -> Path:
        path = files.get(sha256) or known.find(sha256)
        if path is None:
            raise UnsafeModelError(f"sha256:{sha256} is not here, and was not sent", hint="send it", path=sha256)
        return path

    entry = registry.receive_version(
        arguments["digest"],
        fetch,
        records=arguments["records"],
        arrived={path: sha256 for sha256, path in files.items()},
        exist_ok=arguments["exist_ok"],
        registered_at=None if at is None else datetime.fromisoformat(at),
        name=arguments["name"],
        borrow=arguments["borrow"],
    )
    return plain(version_document(entry))


@task("inside")
def inside(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``version``; ``start`` and the ``most`` of each that are told from there on → ``tensors`` and
    ``modules``, how many of each there are, and the ``nbytes`` of all tensors."""
    entry = registry.resolve(arguments["name"], arguments["version"])
    start, stop = arguments["start"], arguments["start"] + arguments["most"]
    tensors, modules = entry.tensors, entry.modules
    told = {"tensors": tensors[start:stop], "modules": dict(islice(modules.items(), start, stop))}
    nbytes = sum(tensor.nbytes for tensor in tensors)
    return plain({**told, "tensor_count": len(tensors), "module_count": len(modules), "nbytes": nbytes})


@task("verify")
def verify(registry: ModelRegistry, arguments: Arguments) -> Any:
    """``name``, ``version``, ``deep`` → the digest by the bytes on the disk now; not ``deep``, what changed is read."""
    entry = registry.resolve(arguments["name"], arguments["version"])
    if arguments["deep"]:
        checksum = entry.calculate_checksum()
        return {"digest": entry.digest, "checksum": checksum, "intact": checksum == entry.digest}
    entry.verify()
    return {"digest": entry.digest, "checksum": entry.digest, "intact": True}


class _Known:
    """What is stored already: of a model, or of the whole registry.

    What only others have is not told of, whatever a digest is asked for.
    """

    def __init__(self, registry: ModelRegistry, name: str | None) -> None:
        self._registry = registry
        self._name = name
        self._blobs: set[str] | None = None

    def find(self, sha256: str) -> Path | None:
        path = Path(self._registry.settings.path, "blobs", "sha256", sha256)
        if self._name is not None and self._blobs is None:
            newest = self._registry.list_models(name=self._name)[-_NEWEST:]
            self._blobs = {blob for entry in newest for blob in entry.blobs}
        return path if (self._blobs is None or sha256 in self._blobs) and path.is_file() else None


def _parent(given: Any) -> Any:
    """A parent as a text, or as a record."""
    return Parent(**given) if isinstance(given, Mapping) else given
