"""What is being registered, and in which format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from model_registry.errors import PluginError, SourceNotFoundError, UnsafeModelError, UnsupportedModelError
from model_registry.names import shown
from model_registry.operations.context import Context
from model_registry.plain_files import files_below
from model_registry.records import Detection


def source_of(model: Any) -> Any:
    """The model itself, or a ``Path`` if it is a path.

    :raises SourceNotFoundError: for a path where there is nothing.
    """
    if not isinstance(model, (str, os.PathLike)):
        return model
    path = Path(model)
    if not _exists(path):
        raise SourceNotFoundError(
            f"there is no file or folder {shown(str(path))}", hint="check the path", path=str(path)
        )
    if not (path.is_file() or path.is_dir()):
        raise UnsupportedModelError(f"{str(path)!r} is neither a file nor a folder", path=str(path))
    return path


def size_of(source: Any) -> int | None:
    """Bytes of the files at a path, as far as they can be seen; None for a model in memory."""
    if not isinstance(source, Path):
        return None
    try:
        files = [source] if source.is_file() else [file for _, file in files_below(source)]
        return sum(file.stat().st_size for file in files)
    except (OSError, UnsafeModelError):  # whoever reads them says what is wrong
        return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long to be one: perhaps the model itself, given as a text
        return False


def detect(context: Context, source: Any) -> Detection | None:
    """The most specific claim on the model, None if nobody knows it.

    :raises PluginError: if two formats claim it with the same rank.
    """
    claims = context.plugins.detect(source)
    best = [claim for claim in claims if claim.rank == claims[0].rank]
    rivals = sorted({claim.format for claim in best})
    if len(rivals) > 1:
        what = f"{str(source)!r}" if isinstance(source, Path) else f"a {type(source).__name__}"
        raise PluginError(f"{what} is claimed as {' and as '.join(rivals)}", hint="say which with model_format=")
    return best[0] if best else None


def unknown_format(context: Context, source: Any) -> UnsupportedModelError:
    """What to raise when no format was given and none can be seen."""
    what = f"the file or folder {str(source)!r}" if isinstance(source, Path) else f"a {type(source).__name__}"
    formats = ", ".join(context.plugins.formats()) or "none; install a plugin, such as model-registry-pytorch"
    return UnsupportedModelError(
        f"no installed plugin recognises {what}; formats known: {formats}", hint="say which it is with model_format="
    )
