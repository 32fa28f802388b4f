"""The format of files that are only kept: stored, verified and given back, never opened.

It is for what cannot be read without running it, such as a pickle of objects: whoever downloads it decides.
"""

from __future__ import annotations

from pathlib import Path

from model_registry import FormatSpec, LoadRequest, SaveRequest, Stage, UnsafeModelError, UnsupportedModelError

FORMAT = FormatSpec("opaque", "Files that are only kept, never opened")


def save_opaque(request: SaveRequest, stage: Stage) -> None:
    """Store a file or a folder as it is.

    :raises UnsupportedModelError: for an object in memory.
    :raises UnsafeModelError: for a link, which leads to files that nobody gave.
    """
    root = request.model
    if not isinstance(root, Path):
        what = f"a {type(root).__name__}"
        raise UnsupportedModelError(f"{what} cannot be kept as it is", hint="give the path of a file or folder")
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if not path.is_dir())
    for file in files:
        if file.is_symlink() and file != root:
            hint = "put a copy of the file there"
            raise UnsafeModelError(f"{file.relative_to(root)} is a link", hint=hint, path=str(file))
        stage.add(file.name if file == root else file.relative_to(root).as_posix(), file)


def refuse(request: LoadRequest) -> Exception:
    """What to raise when somebody wants to load it."""
    return UnsafeModelError(
        f"{request.metadata.name}:{request.metadata.version} is stored as opaque, and is never opened",
        hint="export it, and open its files yourself if you know where they are from",
        path=request.metadata.name,
    )
