"""What is being registered, and in which format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from model_registry.errors import PluginError, SourceNotFoundError, UnsafeModelError, UnsupportedModelError
from model_registry.kinds import Content, Kind, content_of, kinds_named
from model_registry.names import shown
from model_registry.operations.context import Context
from model_registry.plain_files import files_below
from model_registry.records import Arrival, Detection, Download


def source_of(model: Any) -> Any:
    """The model itself, what a plugin downloaded, or a ``Path`` if it is a path or arrived there.

    :raises SourceNotFoundError: for a path where there is nothing.
    """
    if isinstance(model, Download):
        return model.model
    if isinstance(model, Arrival):
        model = model.path
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


def detect(context: Context, source: Any) -> Detection:
    """The most specific claim on the model.

    :raises PluginError: if two formats claim it with the same rank.
    :raises UnsupportedModelError: if nobody claims it, saying what it is; or if its name promises something else.
    :raises UnsafeModelError: if it is seen to be broken.
    """
    content = content_of(source) if isinstance(source, (Path, bytes)) else None
    claims = context.plugins.detect(source)
    best = [claim for claim in claims if claim.rank == claims[0].rank]
    rivals = sorted({claim.format for claim in best})
    if len(rivals) > 1:
        plugins = " and ".join(f"{context.plugins.owner(rival)[0] or 'a loader'} (as {rival!r})" for rival in rivals)
        raise PluginError(f"{_shown(source)} is claimed by {plugins}", hint="say which with model_format=")
    if content is not None:
        _require_sound(source, content, best[0].format if best else None)
    if not best:
        raise _unclaimed(context, source, content)
    return best[0]


def _require_sound(source: Path | bytes, content: Content, claimed: str | None) -> None:
    """Refuse what is cut short, and files whose names promise something else than they hold."""
    if content.problem:
        hint = "get it again from its source"
        raise UnsafeModelError(f"{_shown(source)} is {content.kind.title}, but {content.problem}", hint=hint)
    promised = kinds_named(source) if isinstance(source, Path) else ()
    if promised and content.kind not in promised and claimed is not None and claimed == content.kind.format:
        raise UnsupportedModelError(
            f"{_shown(source)} has the name of {promised[0].title}, and is {content.kind.title}",
            hint=f"rename it, or say that you mean it: model_format={claimed!r}",
            path=str(source),
        )


def _unclaimed(context: Context, source: Any, content: Content | None) -> UnsupportedModelError:
    """What to raise when no format was given and no plugin claims the model."""
    if isinstance(source, type):
        name = source.__qualname__
        return UnsupportedModelError(
            f"{name} is a class, not a model", hint=f"give an instance of it, such as {name}()"
        )
    formats = ", ".join(context.plugins.formats()) or "none; install a plugin, such as model-registry-pytorch"
    if content is None or content.kind is Kind.UNKNOWN:
        return UnsupportedModelError(
            f"no installed plugin recognises {_shown(source)}; formats known: {formats}",
            hint="say which it is with model_format=",
        )
    kind = content.kind
    said = f"{_shown(source)} is {kind.title}"
    if kind in _NO_MODEL:
        return UnsupportedModelError(said, hint=_NO_MODEL[kind])
    if kind.format in _DISTRIBUTIONS:
        hint = f"install model-registry-{kind.format}"
    else:
        hint = f"install a plugin that does, or set registry.loaders[{kind.id!r}] and say model_format={kind.id!r}"
    return UnsupportedModelError(f"{said}; no installed plugin handles it", hint=hint, format=kind.format)


def _shown(source: Any) -> str:
    if isinstance(source, Path):
        return f"the {'folder' if source.is_dir() else 'file'} {str(source)!r}"  # whole: it may be looked for there
    return f"a {type(source).__name__}"


#: Formats whose plugin is named after them.
_DISTRIBUTIONS = frozenset({"pytorch", "onnx", "huggingface"})
_NO_MODEL = {
    Kind.EMPTY: "give one with a model in it",
    Kind.TEXT: "give a model; a text of your own format needs model_format=",
    Kind.HTML: "a download gave a page instead of the file: get it again",
    Kind.LFS_POINTER: "fetch what it points to, with: git lfs pull",
    Kind.COMPRESSED: "unpack it first",
    Kind.TAR: "unpack it first",
    Kind.TOKENIZER: "give the folder of its model",
}
