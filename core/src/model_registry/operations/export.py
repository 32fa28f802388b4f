"""Exporting: copy a version's files out, or let a plugin write another format; nothing half-written is ever seen."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from model_registry.durable import copy_file, sync_file, sync_folder
from model_registry.errors import (
    DestinationExistsError,
    ModelRegistryError,
    SourceNotFoundError,
    StorageError,
    UnsupportedFormatError,
)
from model_registry.files import StoredFiles
from model_registry.names import shown
from model_registry.operations import options
from model_registry.operations.chain import run_chain
from model_registry.operations.context import Context
from model_registry.operations.entries import entry_of, require
from model_registry.operations.parity import Gate, pass_gate
from model_registry.operations.plan import plan, reachable
from model_registry.operations.stored import files_of
from model_registry.plain_files import files_below
from model_registry.progress import part
from model_registry.records import Conversion, ExportedPath, ModelEntry, ParityReport

logger = logging.getLogger("model_registry")

#: What looks like a file's suffix, unlike the end of «model-1.0.0».
_FILE_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,11}")


def export(
    context: Context,
    name: str,
    version: str,
    export_path: str | os.PathLike[str],
    export_format: str | None,
    *,
    overwrite: bool,
    gate: Gate,
    given: Mapping[str, Any],
) -> ExportedPath:
    """See ``ModelRegistry.export_model``."""
    entry = entry_of(context, require(context, name, version))
    destination = Path(export_path)
    target = str(export_format or _format_by_suffix(context, entry, destination.suffix))
    files = files_of(context, entry)
    own = str(entry.metadata.format)
    is_copy = target == own and (not given or own not in reachable(context, own))
    # Without a conversion the bytes are gone over twice: to verify them, and to copy them.
    work = context.progress.operation(f"exporting {entry.reference}", bytes_total=2 * entry.size if is_copy else None)
    report = ParityReport(None, skipped="the files are those that were registered")
    with work, _told(destination), _published(context, destination, overwrite=overwrite) as temporary:
        if is_copy:
            options.require_known(given, (), context.plugins.format(target), "exporting as it is in")
            _copy(files, temporary, as_file=_is_single_file(files, destination))
        else:
            chain = plan(context, own, target, entry.reference)
            suffix = destination.suffix if destination.suffix in context.plugins.format(target).suffixes else ""
            made = run_chain(context, entry, chain, files, temporary, given, suffix)
            report = pass_gate(context, entry, chain, files, made, gate)
    logger.info("exported %s as %s to %s", entry.reference, target, destination)
    return ExportedPath(str(destination), report)


def plan_export(
    context: Context, name: str, version: str, export_path: str | os.PathLike[str] | None, export_format: str | None
) -> list[Conversion]:
    """See ``ModelRegistry.plan_conversion``."""
    entry = entry_of(context, require(context, name, version))
    target = str(export_format or _format_by_suffix(context, entry, Path(export_path or "").suffix))
    own = str(entry.metadata.format)
    return [] if target == own else list(plan(context, own, target, entry.reference))


def _format_by_suffix(context: Context, entry: ModelEntry, suffix: str) -> str:
    """What the file's suffix asks for, among what can be made of this version; its own format otherwise."""
    specs = context.plugins.formats()
    targets = [target for target in reachable(context, str(entry.metadata.format)) if target in specs]
    endings = {ending: target for target in reversed(targets) for ending in specs[target].suffixes}
    if suffix.lower() in endings:
        return endings[suffix.lower()]
    own = {Path(file.path).suffix for file in entry.files} if len(entry.files) == 1 else set()
    if _FILE_SUFFIX.fullmatch(suffix) and suffix not in own:
        known = ", ".join(sorted({*endings, *own})) or "none"
        raise UnsupportedFormatError(
            f"no export of {entry.reference} ({entry.metadata.format}) ends in {suffix!r}",
            hint=f"it can end in: {known}; for a folder of its files, name one without a suffix",
            format=suffix,
        )
    return entry.metadata.format


def _is_single_file(files: StoredFiles, destination: Path) -> bool:
    """A version of one file becomes a file where the user names one."""
    paths = list(files)
    return len(paths) == 1 and bool(destination.suffix) and Path(paths[0]).suffix == destination.suffix


def _copy(files: StoredFiles, destination: Path, *, as_file: bool) -> None:
    files.verify()
    for path in files:
        target = destination if as_file else destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with part(files.size(path)):
            copy_file(files.local(path), target)


def _require_outside(context: Context, destination: Path) -> None:
    """:raises StorageError: for a path inside the registry, whose files are its own."""
    if destination.absolute().resolve().is_relative_to(context.folder.resolve()):
        raise StorageError(
            f"{str(destination)!r} is inside the registry", hint="export to another place", path=str(destination)
        )


@contextmanager
def _told(destination: Path) -> Iterator[None]:
    """Say of what the disk refuses that it was the export."""
    try:
        if "\0" in str(destination):
            raise OSError(errno.EINVAL, "a path holds no NUL")
        yield
    except OSError as error:
        if isinstance(error, ModelRegistryError):
            raise
        reason = f"cannot export to {shown(str(destination))}: {error.strerror or error}"
        raise StorageError(reason, hint="nothing was left there; choose another path", path=str(destination)) from error


@contextmanager
def _published(context: Context, destination: Path, *, overwrite: bool) -> Iterator[Path]:
    """A path to write to, beside the destination; moved there when all went well."""
    _require_outside(context, destination)
    if not destination.parent.is_dir():
        raise SourceNotFoundError(
            f"there is no folder {str(destination.parent)!r} to export to",
            hint="make it first",
            path=str(destination.parent),
        )
    if destination.exists() and not overwrite:
        raise DestinationExistsError(
            f"{str(destination)!r} exists", hint="choose another path, or pass overwrite=True", path=str(destination)
        )
    temporary = destination.with_name(f".{destination.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        _sync(temporary)
        if destination.is_dir():
            _require_replaceable(destination, temporary)
            shutil.rmtree(destination)
        elif destination.exists() and temporary.is_dir():
            raise DestinationExistsError(
                f"{str(destination)!r} is a file, and this export is a folder",
                hint="choose another path",
                path=str(destination),
            )
        os.replace(temporary, destination)
        sync_folder(destination.parent)
    finally:
        with suppress(OSError):
            _remove(temporary)


def _require_replaceable(folder: Path, new: Path) -> None:
    """Only an earlier export is overwritten: a folder that holds anything else is somebody's work.

    :raises DestinationExistsError: naming a file that the new export does not have.
    """
    ours = {path for path, _ in files_below(new)} if new.is_dir() else set()
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name).relative_to(folder).as_posix()
            if path not in ours:
                raise DestinationExistsError(
                    f"the folder {str(folder)!r} holds {path!r}, which is not of this export",
                    hint="choose another path, or remove the folder yourself",
                    path=str(folder),
                )


def _sync(path: Path) -> None:
    if path.is_dir():
        for _, file in files_below(path):
            sync_file(file)
    else:
        sync_file(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
