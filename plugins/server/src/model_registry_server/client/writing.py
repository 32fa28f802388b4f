"""Writing an export where the user wants it, by the rules of a local registry: all of it, or nothing."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_registry import DestinationExistsError, SourceNotFoundError, StorageError
from model_registry.errors import ModelRegistryError


@contextmanager
def published(destination: Path, *, overwrite: bool) -> Iterator[Path]:
    """A path to write a file or folder to, beside the destination; moved there when all went well.

    :raises DestinationExistsError: rather than overwrite.
    :raises SourceNotFoundError: if there is no folder to write to.
    :raises StorageError: if the disk refuses.
    """
    _require_place(destination, overwrite=overwrite)
    temporary = destination.with_name(f".{destination.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        _replace(destination, temporary)
    except OSError as error:
        if isinstance(error, ModelRegistryError):
            raise
        reason = f"cannot export to {str(destination)!r:.200}: {error.strerror or error}"
        raise StorageError(reason, hint="nothing was left there; choose another path", path=str(destination)) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True) if temporary.is_dir() else temporary.unlink(missing_ok=True)


def _require_place(destination: Path, *, overwrite: bool) -> None:
    path = str(destination)
    if "\0" in path:
        raise StorageError(f"cannot export to {path!r:.200}: a path holds no NUL", hint="choose another", path=path)
    if not destination.parent.is_dir():
        folder = str(destination.parent)
        raise SourceNotFoundError(f"there is no folder {folder!r} to export to", hint="make it first", path=folder)
    if destination.exists() and not overwrite:
        raise DestinationExistsError(f"{path!r} exists", hint="choose another path, or pass overwrite=True", path=path)


def _replace(destination: Path, temporary: Path) -> None:
    path = str(destination)
    for file in _files_below(temporary) if temporary.is_dir() else [temporary]:
        _sync(file)
    if destination.is_dir():
        _require_replaceable(destination, temporary)
        shutil.rmtree(destination)
    elif destination.exists() and temporary.is_dir():
        message = f"{path!r} is a file, and this export is a folder"
        raise DestinationExistsError(message, hint="choose another path", path=path)
    os.replace(temporary, destination)
    _sync(destination.parent)


def _require_replaceable(folder: Path, new: Path) -> None:
    """Only an earlier export is overwritten: a folder that holds anything else is somebody's work."""
    ours = {file.relative_to(new) for file in _files_below(new)} if new.is_dir() else set()
    for file in _files_below(folder):
        path = file.relative_to(folder)
        if path not in ours:
            raise DestinationExistsError(
                f"the folder {str(folder)!r} holds {path.as_posix()!r}, which is not of this export",
                hint="choose another path, or remove the folder yourself",
                path=str(folder),
            )


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
