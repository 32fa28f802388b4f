"""Files that came, under the names that they have in the model."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from attrs import frozen

from model_registry import InvalidNameError


@frozen
class Came:
    """A file that came, under the name that it has in the model."""

    path: str
    file: Path
    sha256: str


def laid_out(root: Path, came: Sequence[Came], *, stays: bool = False) -> tuple[Path, dict[Path, str]]:
    """The files under the names that they have in the model; the path of the only one, or of their folder.

    :param stays: Each also stays where it came, where the file system can do that: an upload is not lost if
        registering it fails.
    """
    root.mkdir(mode=0o700)
    digests: dict[Path, str] = {}
    for each in came:
        target = root / plain_name(each.path)
        if target in digests:
            what = f"{each.path!r:.200} came twice"
            raise InvalidNameError(what, hint="give each file another name", value=each.path)
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _give_name(each.file, target, stays=stays)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            what = f"{each.path!r:.200} is both a file and a folder"
            raise InvalidNameError(what, hint="give each file another name", value=each.path) from error
        digests[target] = each.sha256
    return (next(iter(digests)) if len(digests) == 1 else root), digests


def _give_name(file: Path, target: Path, *, stays: bool) -> None:
    if stays:
        try:
            os.link(file, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                raise
        else:
            return
    file.rename(target)


def plain_name(name: str) -> PurePosixPath:
    """A path within the model.

    :raises InvalidNameError: for one that leads elsewhere.
    """
    path = PurePosixPath(name)
    bad = path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name
    if bad or len(name) > 500 or not name.isprintable() or any(len(part.encode()) > 200 for part in path.parts):
        hint = "use letters, digits and . _ - within a folder"
        raise InvalidNameError(f"{name[:100]!r} can be no file of a model", hint=hint, value=name[:500])
    return path
