"""Downloading from a hub: pinned to the commit that a revision names now, only what a model needs, and resumable.

The hub is the one that ``HF_ENDPOINT`` names, files are kept in its client's own cache, and ``HF_HUB_OFFLINE`` is
respected: see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_registry import (
    Download,
    ModelRegistryError,
    SourceNotFoundError,
    StorageError,
    UnsafeModelError,
    progress_here,
)
from model_registry_huggingface.formats import HUGGINGFACE
from model_registry_huggingface.layout import is_needed, is_pickled, is_weights
from model_registry_huggingface.messages import first_line
from model_registry_huggingface.snapshot import Snapshot

_REVISION = "main"
#: So often a branch may move while it is downloaded.
_ATTEMPTS = 3


def download(repo_id: str, revision: str | None) -> Download:
    """What a repository holds at a revision, in the cache; and what is known of where it comes from.

    :param revision: A branch, a tag or a commit; None for the branch ``main``.
    :raises SourceNotFoundError: if the hub, or the cache when offline, has no such repository or revision.
    :raises UnsafeModelError: if its weights are pickled.
    :raises StorageError: if the hub cannot be reached; what was downloaded is used the next time.
    """
    from huggingface_hub import constants

    with _told(repo_id, revision or _REVISION):
        if constants.is_offline_mode():
            return _from_cache(repo_id, revision or _REVISION)
        return _from_hub(repo_id, revision or _REVISION)


def _endpoint() -> str:
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _from_hub(repo_id: str, revision: str) -> Download:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=_endpoint())
    for _ in range(_ATTEMPTS):
        info = api.model_info(repo_id, revision=revision)
        digests = _files_of(api.list_repo_tree(repo_id, recursive=True, revision=info.sha))
        _require_mappable(repo_id, list(digests))
        # By the revision's own name: so the cache knows later, offline, what it named.
        folder = _snapshot(repo_id, revision, [path for path in digests if is_needed(path)], endpoint=_endpoint())
        if folder.name == info.sha:
            told = {"tags": list(info.tags or ()), "pipeline_tag": info.pipeline_tag}
            known = {path: digest for path, digest in digests.items() if digest and is_needed(path)}
            return _found(repo_id, revision, folder, {key: value for key, value in told.items() if value}, known)
    raise StorageError(
        f"{revision!r:.80} of {repo_id} moved while it was downloaded", hint="try again, or name a commit"
    )


def _from_cache(repo_id: str, revision: str) -> Download:
    from huggingface_hub import get_cached_repo_tree

    needed = [item.path for item in get_cached_repo_tree(repo_id, revision=revision) if is_needed(item.path)]
    return _found(repo_id, revision, _snapshot(repo_id, revision, needed, local_files_only=True), {}, {})


def _snapshot(repo_id: str, revision: str, paths: list[str], **where: Any) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [_literal(path) for path in paths]
    return Path(snapshot_download(repo_id, revision=revision, allow_patterns=patterns, tqdm_class=_bar(), **where))


def _found(repo_id: str, revision: str, folder: Path, told: Mapping[str, Any], digests: Mapping[str, str]) -> Download:
    origin = {"hub": _endpoint(), "repository": repo_id, "revision": revision, "commit": folder.name, **told}
    metadata = {"repository_url": f"{_endpoint()}/{repo_id}", "origin": origin}
    return Download(Snapshot(folder, folder.parent.parent), HUGGINGFACE, metadata, digests)


def _files_of(tree: Iterable[Any]) -> dict[str, str | None]:
    """The files of a repository, each with its SHA-256 if the hub tells it, as it does of large ones."""
    files = [item for item in tree if hasattr(item, "lfs")]
    return {item.path: None if item.lfs is None else item.lfs.sha256 for item in files}


def _require_mappable(repo_id: str, paths: list[str]) -> None:
    pickled = sorted(path for path in paths if is_pickled(path))
    if pickled and not any(is_weights(path) and is_needed(path) for path in paths):
        raise UnsafeModelError(
            f"the weights of {repo_id} are pickled ({', '.join(pickled[:3])}), and unpickling runs code",
            hint="ask its authors for safetensors; or where you trust it, load it and register the model itself",
        )


def _literal(path: str) -> str:
    """A pattern that fits this path alone."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


def _bar() -> Any:
    """Progress for whoever listens to the registry; else on a terminal, and none elsewhere."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    tell = progress_here()

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            # One bar counts the bytes that are kept, another those that the network brings, and one the files.
            self._tell = tell if options.get("name") == "huggingface_hub.snapshot_download" else None
            is_shown = tell is None and sys.stderr.isatty()
            super().__init__(*arguments, **{**options, "disable": not is_shown})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            if self._tell is not None and n:
                self._tell(int(n))
            return super().update(n)  # type: ignore[no-any-return]

    return Bar


@contextmanager
def _told(repo_id: str, revision: str) -> Iterator[None]:
    """Say of the client's errors what they mean for the caller."""
    from huggingface_hub import constants, errors

    missing = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError)
    try:
        yield
    except errors.GatedRepoError as error:
        hint = "accept its conditions there, and give a token: HF_TOKEN=…"
        raise SourceNotFoundError(f"{repo_id} is only for those who accepted its conditions", hint=hint) from error
    except missing as error:
        hint = "check both names; for a private one, give a token: HF_TOKEN=…"
        raise SourceNotFoundError(
            f"{_endpoint()} has no model {repo_id!r:.120} at {revision!r:.80}: {first_line(error)}", hint=hint
        ) from error
    except (errors.LocalEntryNotFoundError, errors.CachedRepoTreeNotFoundError) as error:
        if not constants.is_offline_mode():
            raise _unreachable(repo_id, error.__cause__ or error) from error
        raise SourceNotFoundError(
            f"{repo_id} at {revision!r:.80} is not in the cache, and the hub is not asked",
            hint="unset HF_HUB_OFFLINE",
        ) from error
    except ModelRegistryError:
        raise
    except Exception as error:  # of its own, of the library by which it asks, and of the system
        raise _unreachable(repo_id, error) from error


def _unreachable(repo_id: str, error: BaseException) -> StorageError:
    return StorageError(
        f"{_endpoint()} did not give {repo_id}: {first_line(error)}",
        hint="try again: what was downloaded is kept, and the rest is fetched",
    )
