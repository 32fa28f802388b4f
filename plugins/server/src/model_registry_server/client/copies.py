"""Files of a version, written as they were registered."""

from __future__ import annotations

import shutil
from pathlib import Path

from model_registry import ExportedPath, ModelEntry, ParityReport, remotes
from model_registry_server.client.progress import Told
from model_registry_server.client.writing import published


def write_copy(entry: ModelEntry, destination: Path, told: Told, *, overwrite: bool) -> ExportedPath:
    """Write the files of a version whose bytes are here; a version of one file becomes a file where one is named."""
    files = entry.files
    as_file = len(files) == 1 and bool(destination.suffix) and Path(files[0].path).suffix == destination.suffix
    with (
        told.operation(f"exporting {entry.reference}", bytes_total=entry.size),
        published(destination, overwrite=overwrite) as temporary,
    ):
        for file in files:
            target = temporary if as_file else temporary / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.blob(file.sha256), target)
            remotes.advance(file.size)
    return ExportedPath(str(destination), ParityReport(None, skipped="the files are those that were registered"))
